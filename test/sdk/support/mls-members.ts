/** Members of an MLS group, without conversations around it. */
import assert from 'node:assert/strict'
import { createKeyPair } from '@mainframe/protocol'
import type { SuiteName } from '../../../sdk/src/mls/ciphersuite.ts'
import { type Committed, commit, createGroup } from '../../../sdk/src/mls/group.ts'
import { createIdentity, type Identity } from '../../../sdk/src/mls/identity.ts'
import { join } from '../../../sdk/src/mls/join.ts'
import { createKeyPackage, type OwnKeyPackage } from '../../../sdk/src/mls/key-packages.ts'
import { process } from '../../../sdk/src/mls/process.ts'
import type { MlsState } from '../../../sdk/src/mls/state.ts'
import { type Mls, openMls } from '../../../sdk/src/mls/suites.ts'

export interface MlsMember {
  identity: Identity
  own: OwnKeyPackage
  state: MlsState
}

export const GROUP_ID = new Uint8Array(16).fill(7)
export const GROUP_DATA = Uint8Array.of(1, 2, 3)

/** An MLS that believes everybody. */
export function trustingMls(suite: SuiteName = 'x25519'): Promise<Mls> {
  return openMls({ suite, authenticate: () => true })
}

export async function newcomer(mls: Mls): Promise<Omit<MlsMember, 'state'>> {
  const identity = await createIdentity(mls, createKeyPair().publicKey)
  return { identity, own: await createKeyPackage(mls, identity) }
}

/** A group of so many, all in one epoch. */
export async function groupOfMembers(mls: Mls, count: number): Promise<MlsMember[]> {
  const people = await Promise.all(Array.from({ length: count }, () => newcomer(mls)))
  const [first, ...others] = people
  assert.ok(first)
  const alone = await createGroup(mls, {
    groupId: GROUP_ID,
    own: first.own,
    groupData: GROUP_DATA,
  })
  if (others.length === 0) return [{ ...first, state: alone }]
  const committed = await commit(mls, alone, { add: others.map(({ own }) => own.keyPackage) })
  const joined = await Promise.all(
    others.map(async (other) => ({ ...other, state: await joinBy(mls, committed, other.own) })),
  )
  return [{ ...first, state: committed.state }, ...joined]
}

export async function joinBy(
  mls: Mls,
  { welcome }: Committed,
  own: OwnKeyPackage,
): Promise<MlsState> {
  assert.ok(welcome)
  const joined = await join(mls, { welcome, own })
  assert.ok(joined)
  return joined.state
}

/** The state after a commit that must be valid. */
export async function follow(mls: Mls, state: MlsState, bytes: Uint8Array): Promise<MlsState> {
  const processed = await process(mls, state, bytes)
  assert.equal(processed.kind, 'commit')
  return processed.kind === 'commit' ? processed.state : state
}
