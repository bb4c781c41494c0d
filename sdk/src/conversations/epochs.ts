/** The epochs of a conversation that can be read, those of rival branches too, and their keys. */
import { digest, MainframeError } from '@mainframe/protocol'
import { type Changes, type Committed, commit, encrypt, groupData, members } from '../mls/group.ts'
import { peek } from '../mls/process.ts'
import { type MlsState, wipe } from '../mls/state.ts'
import type { Mls } from '../mls/suites.ts'
import { type Branch, bestBranch, chainOf } from './branches.ts'
import {
  type Epoch,
  type EpochFacts,
  epochOfCommit,
  eraseEpoch,
  makeEpoch,
  type Published,
  readCommit,
  readEpochs,
  writeEpoch,
  writeRatchets,
} from './epoch.ts'
import { decodeGroupData, decodeWelcome } from './group-data.ts'
import { KEPT_COMMITS, KEPT_EPOCH_MS, KEPT_EPOCHS, MAX_ADDED, MAX_RIVALS } from './limits.ts'
import type { InboxKey } from './ports.ts'
import { nameOf } from './reader.ts'
import { SHELF_KEYS, type Shelf, splitParts } from './shelf.ts'

export class Epochs {
  readonly #mls: Mls
  readonly #shelf: Shelf
  readonly #nodes = new Map<string, Epoch>()
  /** By the hash of the commit. */
  readonly #removals = new Map<string, Branch>()
  #head: Epoch | undefined

  constructor(mls: Mls, shelf: Shelf) {
    this.#mls = mls
    this.#shelf = shelf
  }

  /** Reads what is stored. */
  async load(): Promise<void> {
    for (const node of await readEpochs(this.#mls, this.#shelf)) this.#nodes.set(node.id, node)
    // A kill between a commit and its epoch: nobody has seen it, and its keys are gone.
    for (const key of await this.#shelf.list(SHELF_KEYS.commits)) {
      const commit = await readCommit(this.#shelf, key)
      if (!commit || this.#isOrphan(commit.bytes)) await this.#shelf.delete(key)
    }
    for (const key of await this.#shelf.list(SHELF_KEYS.welcomes)) {
      const record = await this.#shelf.get(key)
      const [bytes] = (record && splitParts(record, 1 + MAX_ADDED)) ?? []
      const carried = bytes && decodeWelcome(bytes)
      if (!carried || this.#isOrphan(carried.commit.bytes)) await this.#shelf.delete(key)
    }
  }

  /** Whether a commit upon an epoch that is kept, or a later one, has begun none. */
  #isOrphan(commitBytes: Uint8Array): boolean {
    const upon = peek(commitBytes)?.epoch ?? 0
    const isKept = this.#nodes.size > 0 && upon >= Math.min(...this.numbers)
    return isKept && !this.begunBy(nameOf(digest(commitBytes)))
  }

  get head(): Epoch | undefined {
    return this.#head
  }

  get(id: string): Epoch | undefined {
    return this.#nodes.get(id)
  }

  /** From the newest epoch back, as far as keys are kept. */
  get chain(): Epoch[] {
    return this.#head ? chainOf(this.#nodes, this.#head.id) : []
  }

  /** Numbers of all epochs that can be read. */
  get numbers(): ReadonlySet<number> {
    return new Set([...this.#nodes.values()].map(({ epoch }) => epoch))
  }

  /** The epoch that counts first, then the others, newest first. */
  inboxKeys(): InboxKey[] {
    const others = [...this.#nodes.values()].filter((node) => node !== this.#head)
    others.sort((a, b) => b.epoch - a.epoch)
    return [...(this.#head ? [this.#head] : []), ...others].map(({ inboxKey }) => inboxKey)
  }

  /** An epoch that follows from none that is known: of a new group, of a welcome, of coming back. */
  begin(
    state: MlsState,
    { self, floor, nowMs }: { self: Uint8Array; floor: number; nowMs: number },
    commit?: Published,
  ): Promise<Epoch> {
    const commitDigest = commit ? nameOf(digest(commit.bytes)) : ''
    const origin = { parent: undefined, committer: undefined, ousted: [] }
    const facts = { ...origin, commitDigest, added: [self], floor, nowMs }
    return this.add(state, facts, commit)
  }

  /** Seals for the newest epoch. Durable when it resolves. */
  async encrypt(text: Uint8Array): Promise<Uint8Array> {
    const head = this.mustHead()
    const { state, bytes } = await encrypt(this.#mls, head.state, text)
    head.state = state
    await this.persist(head)
    return bytes
  }

  /** Writes down how far an epoch's keys were used. */
  persist(node: Epoch): Promise<void> {
    return writeRatchets(this.#shelf, node)
  }

  /** A commit on the newest epoch; `keep` makes the welcome durable before anything else. */
  async commit(
    changes: Changes,
    facts: { committer: string; added: readonly Uint8Array[]; floor: number; nowMs: number },
    keep: (committed: Committed) => Promise<void>,
  ): Promise<{ epoch: Epoch; published: Published }> {
    const head = this.mustHead()
    const committed = await commit(this.#mls, head.state, changes)
    await keep(committed)
    const { state, commit: bytes } = committed
    const all = {
      ...facts,
      parent: head.id,
      commitDigest: nameOf(digest(bytes)),
      ousted: oustedBetween(head.state, state),
    }
    const published = { bytes, sealFor: head.inboxKey.publicKey }
    return { epoch: await this.add(state, all, published), published }
  }

  /** The epoch that a commit of that hash began. */
  begunBy(commitDigest: string): Epoch | undefined {
    return [...this.#nodes.values()].find((node) => node.commitDigest === commitDigest)
  }

  /** Epochs of a number, that of the branch that counts first. */
  numbered(number: number): Epoch[] {
    const chain = new Set(this.chain)
    return [...this.#nodes.values()]
      .filter(({ epoch }) => epoch === number)
      .sort((a, b) => Number(chain.has(b)) - Number(chain.has(a)))
  }

  /** Writes down an epoch that follows from a commit. */
  async add(state: MlsState, facts: EpochFacts, commit?: Published): Promise<Epoch> {
    const node = await makeEpoch(this.#mls, state, facts)
    await writeEpoch(this.#shelf, node, commit)
    this.#nodes.set(node.id, node)
    return node
  }

  /** A commit upon a known epoch that removes this member: a branch that cannot be followed. */
  addRemoval(
    parent: Epoch,
    { commitDigest, committer, ousted }: Omit<Branch, 'id' | 'epoch'>,
  ): void {
    if (this.#removals.size >= MAX_RIVALS) return
    const epoch = parent.epoch + 1
    const branch = { id: commitDigest, parent: parent.id, epoch, commitDigest, committer, ousted }
    this.#removals.set(commitDigest, branch)
  }

  /**
   * Decides anew which epoch counts; the one before when that has changed, and whether the branch that
   * counts is one that removes this member.
   */
  choose(
    witnesses: (epochId: string) => ReadonlySet<string>,
  ): { before: Epoch | undefined; isRemoved: boolean } | undefined {
    const all = new Map<string, Branch>([...this.#nodes, ...this.#removals])
    const best = bestBranch(all, witnesses)
    if (!best || best === this.#head) return undefined
    const before = this.#head
    const node = this.#nodes.get(best.id)
    if (!node) return { before, isRemoved: true }
    this.#head = node
    return { before, isRemoved: false }
  }

  /** Whether more than one branch is as deep as the newest epoch. */
  get hasRival(): boolean {
    return [...this.#nodes.values()].some(
      (node) => node !== this.#head && node.epoch === this.#head?.epoch,
    )
  }

  /** Erases epochs that are too far back, too old, or too many; whether there were any. */
  async prune(nowMs: number): Promise<boolean> {
    const head = this.mustHead()
    const chain = this.chain
    const inChain = new Set(chain)
    const old = chain.filter((_, back) => {
      const next = chain[back - 1]
      return next && (back > KEPT_EPOCHS || nowMs - next.createdAtMs > KEPT_EPOCH_MS)
    })
    const rivals = [...this.#nodes.values()]
      .filter((node) => !inChain.has(node))
      .sort((a, b) => b.createdAtMs - a.createdAtMs)
    const beaten = rivals.filter(
      (node, place) =>
        place >= MAX_RIVALS ||
        head.epoch - node.epoch > KEPT_EPOCHS ||
        nowMs - node.createdAtMs > KEPT_EPOCH_MS,
    )
    for (const node of old) await this.#drop(node)
    for (const node of beaten) {
      await this.#drop(node)
      await this.#shelf.delete(SHELF_KEYS.commit(node.epoch, node.id))
    }
    for (const [name, { parent }] of this.#removals) {
      if (!parent || !this.#nodes.has(parent)) this.#removals.delete(name)
    }
    await this.#pruneCommits(head.epoch)
    return old.length + beaten.length > 0
  }

  async #pruneCommits(newest: number): Promise<void> {
    const limit = SHELF_KEYS.commit(Math.max(0, newest - KEPT_COMMITS), '')
    for (const key of await this.#shelf.list(SHELF_KEYS.commits)) {
      if (key < limit) await this.#shelf.delete(key)
    }
  }

  async #drop(node: Epoch): Promise<void> {
    this.#nodes.delete(node.id)
    await eraseEpoch(this.#shelf, node.id)
    wipe(
      node.state,
      [...this.#nodes.values()].map(({ state }) => state),
    )
    node.inboxKey.secretKey.fill(0)
  }

  /** Erases all keys: the conversation is over for this member. */
  async end(): Promise<void> {
    for (const node of [...this.#nodes.values()]) await this.#drop(node)
    this.#removals.clear()
    this.#head = undefined
  }

  /** Commits of the branch that counts that lead beyond an epoch, in order, at most so many. */
  async commitsAfter(epoch: number, most: number): Promise<(Published & { id: string })[]> {
    const rivals = new Set(this.#nodes.keys())
    for (const { id } of this.chain) rivals.delete(id)
    const keys = (await this.#shelf.list(SHELF_KEYS.commits)).sort()
    const limit = SHELF_KEYS.commit(epoch + 1, '')
    const out: (Published & { id: string })[] = []
    for (const key of keys.filter((name) => name >= limit)) {
      const id = epochOfCommit(key)
      const commit = rivals.has(id) ? undefined : await readCommit(this.#shelf, key)
      if (commit && out.length < most) out.push({ id, ...commit })
    }
    return out
  }

  /** The newest epoch. Throws `INTERNAL` after the end. */
  mustHead(): Epoch {
    if (!this.#head)
      throw new MainframeError('INTERNAL', 'The conversation has ended; open another one')
    return this.#head
  }
}

/** Names of those who were members, or admins, before a commit and are not after it. */
export function oustedBetween(before: MlsState, after: MlsState): string[] {
  const [was, is] = [standingsIn(before), standingsIn(after)]
  const gone = [...was.members].filter((name) => !is.members.has(name))
  const demoted = [...was.admins].filter((name) => !is.admins.has(name))
  return [...new Set([...gone, ...demoted])]
}

function standingsIn(state: MlsState) {
  const admins = decodeGroupData(groupData(state))?.admins ?? []
  return {
    members: new Set(members(state).map(({ inboxKey }) => nameOf(inboxKey))),
    admins: new Set(admins.map(nameOf)),
  }
}
