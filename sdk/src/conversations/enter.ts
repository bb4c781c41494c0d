/** Coming into a conversation by a welcome. */
import { equalBytes } from '@mainframe/protocol'
import { groupData, members } from '../mls/group.ts'
import { join } from '../mls/join.ts'
import type { OwnKeyPackage } from '../mls/key-packages.ts'
import type { MlsState } from '../mls/state.ts'
import type { Mls } from '../mls/suites.ts'
import { type Core, groupOf } from './core.ts'
import type { Published } from './epoch.ts'
import {
  decodeGroupData,
  decodeWelcome,
  decodeWelcomeData,
  isAdmin,
  type WelcomeData,
} from './group-data.ts'
import { nameOf } from './reader.ts'

/** A conversation as a new member finds it. */
export interface Entered {
  state: MlsState
  data: WelcomeData & { commit: Published }
}

/** What a welcome leads into; `undefined` when it is not valid, or not for this key package. */
export async function enter(
  mls: Mls,
  input: { welcome: Uint8Array; own: OwnKeyPackage },
): Promise<Entered | undefined> {
  const carried = decodeWelcome(input.welcome)
  const joined = carried && (await join(mls, { welcome: carried.welcome, own: input.own }))
  const data = joined && decodeWelcomeData(joined.welcomeData)
  if (!carried || !data || !decodeGroupData(groupData(joined.state))) return undefined
  return { state: joined.state, data: { ...data, commit: carried.commit } }
}

/**
 * Whether a further welcome leads into the group we know: it has the same address, which only members
 * ever knew, and an admin of ours is in it. Who signed it may have come after us.
 */
export function isOurs(core: Core, state: MlsState): boolean {
  const data = decodeGroupData(groupData(state))
  const known = groupOf(core)
  if (!data || !equalBytes(data.address, known.data.address)) return false
  return members(state).some((member) =>
    known.members.some(
      (other) =>
        nameOf(other.inboxKey) !== core.self &&
        isAdmin(known.data, other.inboxKey) &&
        equalBytes(other.inboxKey, member.inboxKey) &&
        equalBytes(other.signatureKey, member.signatureKey),
    ),
  )
}
