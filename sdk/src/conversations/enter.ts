/** Coming into a conversation by a welcome. */
import { equalBytes } from '@mainframe/protocol'
import { type GroupMember, groupData, members } from '../mls/group.ts'
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
  encodeGroupData,
  isAdmin,
  type WelcomeData,
} from './group-data.ts'
import { nameOf } from './reader.ts'
import type { Group } from './steward.ts'

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
  const known = groupOf(core)
  if (!hasAddressOf(known, state)) return false
  return members(state).some((member) =>
    known.members.some(
      (other) =>
        nameOf(other.inboxKey) !== core.self &&
        isAdmin(known.data, other.inboxKey) &&
        isSame(other, member),
    ),
  )
}

/**
 * Whether a member may lead us to another epoch of our group: an admin to any; who is none, only to one
 * with the very members and admins that we know, since others may change neither.
 */
export function mayLead(core: Core, from: Uint8Array, state: MlsState): boolean {
  const known = groupOf(core)
  if (!hasAddressOf(known, state)) return false
  const there = members(state)
  const isKnown = (member: GroupMember) => known.members.some((other) => isSame(other, member))
  const leader = there.find(({ inboxKey }) => equalBytes(inboxKey, from))
  if (!leader || !isKnown(leader)) return false
  if (isAdmin(known.data, from)) return true
  const data = groupData(state)
  const isSameData = equalBytes(data, encodeGroupData(known.data))
  return isSameData && there.length === known.members.length && there.every(isKnown)
}

function hasAddressOf(known: Group, state: MlsState): boolean {
  const data = decodeGroupData(groupData(state))
  return data !== undefined && equalBytes(data.address, known.data.address)
}

function isSame(a: GroupMember, b: GroupMember): boolean {
  return equalBytes(a.inboxKey, b.inboxKey) && equalBytes(a.signatureKey, b.signatureKey)
}
