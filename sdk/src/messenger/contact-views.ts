import { encodeContactCode, fromHex } from '@mainframe/protocol'
import type { ContactRecord, ContactState } from './contact-records.ts'

/** A contact as applications see it. */
export interface Contact {
  /** Contact code, `mf1…`. */
  code: string
  state: ContactState
  /** What the one who asked wrote: of a stranger nothing else is shown. */
  introduction: string
  name: string | undefined
  /** Of the conversation of two; there is one once it is accepted. */
  conversationId: string | undefined
  /** The user has compared the safety number. */
  isVerified: boolean
  /** They ask anew, with another key than before: a new device, or somebody in between. */
  isKeyChanged: boolean
}

export function contactOf(record: ContactRecord): Contact {
  return {
    code: encodeContactCode(fromHex(record.inboxKey)),
    state: record.state,
    introduction: record.introduction ?? '',
    name: record.name,
    conversationId: record.conversationId?.slice(2),
    isVerified: record.isVerified === true,
    isKeyChanged: isKeyChanged(record),
  }
}

/** Whether a request waits whose key is not the one that we know. */
export function isKeyChanged({ signatureKey, offeredKey }: ContactRecord): boolean {
  return signatureKey !== undefined && offeredKey !== undefined && signatureKey !== offeredKey
}
