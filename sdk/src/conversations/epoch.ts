/** One epoch of one branch: its keys, and how it stands in the store. */
import { concatBytes, createKeyPair, digest, utf8 } from '@mainframe/protocol'
import { epochAuthenticator, exportSecret } from '../mls/group.ts'
import { decodeState, encodeRatchets, encodeTree, type MlsState } from '../mls/state.ts'
import type { Mls } from '../mls/suites.ts'
import type { Branch } from './branches.ts'
import { bytesOf } from './message.ts'
import type { InboxKey } from './ports.ts'
import { nameOf, readerOf, u48 } from './reader.ts'
import { joinParts, SHELF_KEYS, type Shelf, splitParts } from './shelf.ts'

const INBOX_LABEL = 'mainframe/group-inbox'
const EPOCH_LABEL = utf8('mainframe/epoch/1')
const ID_BYTES = 16
const KEY_BYTES = 32

export interface Epoch extends Branch {
  state: MlsState
  readonly createdAtMs: number
  readonly inboxKey: InboxKey
  /** Inbox keys of those who came in with it, and the Lamport time up to which they get nothing. */
  readonly added: readonly Uint8Array[]
  readonly floor: number
}

/** An MLS message, and the public inbox key of the epoch whose members can read it. */
export interface Published {
  bytes: Uint8Array
  sealFor: Uint8Array
}

/** Where a new epoch comes from. */
export interface EpochFacts {
  parent: string | undefined
  committer: string | undefined
  ousted: readonly string[]
  /** Hash of the commit, in hex. */
  commitDigest: string
  added: readonly Uint8Array[]
  floor: number
  nowMs: number
}

export async function makeEpoch(mls: Mls, state: MlsState, facts: EpochFacts): Promise<Epoch> {
  const { nowMs, ...others } = facts
  const hash = digest(EPOCH_LABEL, state.groupId, epochAuthenticator(state))
  return {
    ...others,
    id: nameOf(hash.subarray(0, ID_BYTES)),
    epoch: state.epoch,
    createdAtMs: nowMs,
    state,
    inboxKey: await inboxKeyOfEpoch(mls, state),
  }
}

async function inboxKeyOfEpoch(mls: Mls, state: MlsState): Promise<InboxKey> {
  const wanted = { label: INBOX_LABEL, context: state.groupId, length: KEY_BYTES }
  return { ...createKeyPair(await exportSecret(mls, state, wanted)), epoch: state.epoch }
}

/** What changes with every message. */
export async function writeRatchets(shelf: Shelf, node: Epoch): Promise<void> {
  const record = joinParts(
    node.parent ? bytesOf(node.parent) : new Uint8Array(),
    bytesOf(node.commitDigest),
    u48(node.createdAtMs),
    u48(node.floor),
    concatBytes(...node.added),
    bytesOf(node.committer ?? ''),
    concatBytes(...node.ousted.map(bytesOf)),
    encodeRatchets(node.state),
  )
  await shelf.set(SHELF_KEYS.epoch(node.id), record)
}

/** A new epoch with the commit that began it; the record by which it is found comes last. */
export async function writeEpoch(shelf: Shelf, node: Epoch, commit?: Published): Promise<void> {
  await shelf.set(SHELF_KEYS.tree(node.id), encodeTree(node.state))
  if (commit) {
    const record = joinParts(commit.sealFor, commit.bytes)
    await shelf.set(SHELF_KEYS.commit(node.epoch, node.id), record)
  }
  await writeRatchets(shelf, node)
}

export async function eraseEpoch(shelf: Shelf, id: string): Promise<void> {
  await shelf.delete(SHELF_KEYS.epoch(id))
  await shelf.delete(SHELF_KEYS.tree(id))
}

/** All epochs in the store. Values that cannot be read are as good as lost. */
export async function readEpochs(mls: Mls, shelf: Shelf): Promise<Epoch[]> {
  const nodes: Epoch[] = []
  for (const key of await shelf.list(SHELF_KEYS.epochs)) {
    const id = key.slice(SHELF_KEYS.epochs.length)
    const node = await readEpoch(mls, shelf, id)
    if (node) nodes.push(node)
  }
  return nodes
}

async function readEpoch(mls: Mls, shelf: Shelf, id: string): Promise<Epoch | undefined> {
  const [record, tree] = [
    await shelf.get(SHELF_KEYS.epoch(id)),
    await shelf.get(SHELF_KEYS.tree(id)),
  ]
  const parts = record && splitParts(record, 8)
  if (!parts || !tree) return undefined
  const [parent, digestBytes, created, floor, added, committer, ousted, ratchets] = parts
  const state = ratchets && decodeState(mls, { tree, ratchets })
  if (!state || !parent || !digestBytes || !created || !floor) return undefined
  if (!added || !committer || !ousted) return undefined
  return makeEpoch(mls, state, {
    parent: parent.length > 0 ? nameOf(parent) : undefined,
    commitDigest: nameOf(digestBytes),
    committer: committer.length > 0 ? nameOf(committer) : undefined,
    ousted: splitKeys(ousted).map(nameOf),
    added: splitKeys(added),
    floor: readerOf(floor).u48(),
    nowMs: readerOf(created).u48(),
  })
}

function splitKeys(bytes: Uint8Array): Uint8Array[] {
  return Array.from({ length: bytes.length / KEY_BYTES }, (_, i) =>
    bytes.slice(i * KEY_BYTES, (i + 1) * KEY_BYTES),
  )
}

/** A commit in the store. */
export async function readCommit(shelf: Shelf, key: string): Promise<Published | undefined> {
  const record = await shelf.get(key)
  const [sealFor, bytes] = (record && splitParts(record, 2)) ?? []
  return sealFor && bytes && { sealFor, bytes }
}

/** Id of the epoch that a key of a commit in the store belongs to. */
export function epochOfCommit(key: string): string {
  return key.slice(-2 * ID_BYTES)
}
