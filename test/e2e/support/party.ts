/** Somebody on line, with what he received and sent. */
import assert from 'node:assert/strict'
import type { KeyPair } from '@mainframe/protocol'
import type { Mainframe, Sent } from '@mainframe/sdk'
import { encode, type Mailbox } from './mailbox.ts'

export interface Party {
  client: Mainframe
  inbox: KeyPair
  mailbox: Mailbox
  sent: Sent[]
}

export async function send(
  from: Party,
  to: Pick<Party, 'client'>,
  text: string,
  options: { hops?: number } = {},
): Promise<Sent> {
  const sent = await from.client.send(to.client.contactCode, encode(text), options)
  from.sent.push(sent)
  return sent
}

/** One message each way, until both are acknowledged. */
export async function exchange(alice: Party, bob: Party, text: string): Promise<void> {
  const both = await Promise.all([send(alice, bob, text), send(bob, alice, text)])
  await Promise.all(both.map(({ delivered }) => delivered))
}

/** Everything that one sent the other has, once. */
export function assertOnceEach(from: Party, to: Party): void {
  const expected = from.sent.map(({ messageId }) => messageId)
  assert.deepEqual(to.mailbox.ids.toSorted(), expected.toSorted())
}
