/** One epoch of a group as one member sees it: an immutable value. */
import type { ClientState } from 'ts-mls'
import { decodeGroupStateWithoutTree, encodeGroupStateWithoutTree } from 'ts-mls/clientState.js'
import { decodeRatchetTree, encodeRatchetTree } from 'ts-mls/ratchetTree.js'
import { allSecretTreeValues } from 'ts-mls/secretTree.js'
import { zeroOutUint8Array } from 'ts-mls/util/byteArray.js'
import type { Mls } from './suites.ts'

/** A state; only the folder `mls` looks into `inner`. */
export interface MlsState {
  readonly epoch: number
  readonly groupId: Uint8Array
  readonly inner: ClientState
}

/**
 * A state as two values: `tree` changes with epochs only and grows with the group, `ratchets`
 * changes with every message.
 */
export interface EncodedState {
  tree: Uint8Array
  ratchets: Uint8Array
}

/** Wraps what ts-mls returns, without the former epochs that it keeps: those are states of their own. */
export function wrapState(inner: ClientState): MlsState {
  return {
    epoch: Number(inner.groupContext.epoch),
    groupId: inner.groupContext.groupId,
    inner: { ...inner, historicalReceiverData: new Map(), unappliedProposals: {} },
  }
}

export function encodeTree(state: MlsState): Uint8Array {
  return encodeRatchetTree(state.inner.ratchetTree)
}

export function encodeRatchets(state: MlsState): Uint8Array {
  return encodeGroupStateWithoutTree(state.inner)
}

/** A state from what was encoded by this client; `undefined` when it is something else. */
export function decodeState(mls: Mls, { tree, ratchets }: EncodedState): MlsState | undefined {
  try {
    // A copy: a state is wiped in place, and its parts share the buffer they were read from.
    const nodes = decodeRatchetTree(tree.slice(), 0)?.[0]
    const state = nodes && decodeGroupStateWithoutTree(nodes)(ratchets.slice(), 0)?.[0]
    return state && wrapState({ ...state, clientConfig: mls.config })
  } catch {
    return undefined
  }
}

/**
 * Zeroes the secrets of an epoch that is over. Private keys of the tree that a state in `survivors`
 * has as well stay: later epochs go on using them.
 */
export function wipe(state: MlsState, survivors: readonly MlsState[]): void {
  const { secretTree, keySchedule, privatePath } = state.inner
  for (const secret of allSecretTreeValues(secretTree)) if (secret) zeroOutUint8Array(secret)
  for (const secret of Object.values(keySchedule)) zeroOutUint8Array(secret)
  const alive = new Set(survivors.flatMap((other) => privateKeys(other).map(keyName)))
  for (const key of Object.values(privatePath.privateKeys)) {
    if (!alive.has(keyName(key))) zeroOutUint8Array(key)
  }
}

/** Zeroes keys that ts-mls reports as used up by one message. */
export function wipeConsumed(consumed: readonly (Uint8Array | undefined)[]): void {
  for (const key of consumed) if (key) zeroOutUint8Array(key)
}

function privateKeys(state: MlsState): Uint8Array[] {
  return Object.values(state.inner.privatePath.privateKeys)
}

function keyName(key: Uint8Array): string {
  return key.join()
}
