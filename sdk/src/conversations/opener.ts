/** Reading what members published with the keys of the epochs that are kept. */
import { digest, equalBytes } from '@mainframe/protocol'
import { type GroupMember, groupData, members } from '../mls/group.ts'
import { type Processed, peek, process } from '../mls/process.ts'
import type { MlsState } from '../mls/state.ts'
import type { Mls } from '../mls/suites.ts'
import type { Epoch } from './epoch.ts'
import { type Epochs, oustedBetween } from './epochs.ts'
import { decodeFloor } from './group-data.ts'
import { MAX_SEEN } from './limits.ts'
import { nameOf } from './reader.ts'
import { type CommitRefusal, committerBefore, judgeCommit } from './rules.ts'

export type Opened =
  | { kind: 'message'; epoch: Epoch; sender: GroupMember; text: Uint8Array }
  | { kind: 'commit' | 'known-commit'; epoch: Epoch }
  /** A branch is known now that removes this member; whether it counts is to be seen. */
  | { kind: 'removed' }
  | { kind: 'refused-commit'; why: CommitRefusal }
  /** Cannot be opened now; perhaps later. */
  | { kind: 'unopened'; number: number }
  /** Older than everything that is kept. */
  | { kind: 'too-old'; number: number }
  | { kind: 'malformed' | 'wrong-group' | 'own' | 'invalid' | 'proposal' }

export class Opener {
  readonly #mls: Mls
  readonly #epochs: Epochs
  /** Hashes of commits that were refused. */
  readonly #refused = new Set<string>()

  constructor(mls: Mls, epochs: Epochs) {
    this.#mls = mls
    this.#epochs = epochs
  }

  /**
   * Reads bytes with every epoch of their number. A message's keys are used up in memory only: what
   * it says has to be durable before `persist` makes that durable too.
   */
  async open(bytes: Uint8Array, nowMs: number): Promise<Opened> {
    const peeked = peek(bytes)
    const head = this.#epochs.mustHead()
    if (!peeked) return { kind: 'malformed' }
    if (!equalBytes(peeked.groupId, head.state.groupId)) return { kind: 'wrong-group' }
    const known = this.#knownCommit(nameOf(digest(bytes)))
    if (known) return known
    const number = peeked.epoch
    const candidates = this.#epochs.numbered(number)
    for (const node of candidates) {
      const processed = await process(this.#mls, node.state, bytes)
      if (processed.kind !== 'foreign') return this.#take(node, processed, bytes, nowMs)
    }
    const oldest = Math.min(...this.#epochs.numbers)
    return number < oldest ? { kind: 'too-old', number } : { kind: 'unopened', number }
  }

  async #take(
    node: Epoch,
    processed: Processed,
    bytes: Uint8Array,
    nowMs: number,
  ): Promise<Opened> {
    if (processed.kind === 'message') {
      const sender = members(node.state).find(({ leaf }) => leaf === processed.sender)
      if (!sender) return { kind: 'invalid' }
      node.state = processed.state
      return { kind: 'message', epoch: node, sender, text: processed.text }
    }
    if (processed.kind === 'commit' || processed.kind === 'removed') {
      return this.#takeCommit(node, processed, bytes, nowMs)
    }
    const { kind } = processed
    return { kind: kind === 'wrong-epoch' || kind === 'foreign' ? 'invalid' : kind }
  }

  async #takeCommit(
    node: Epoch,
    processed: Extract<Processed, { kind: 'commit' | 'removed' }>,
    bytes: Uint8Array,
    nowMs: number,
  ): Promise<Opened> {
    const after = processed.kind === 'commit' ? viewOf(processed.state) : undefined
    const why = judgeCommit(processed.summary, viewOf(node.state), after)
    if (why) {
      if (this.#refused.size >= MAX_SEEN) this.#refused.clear()
      this.#refused.add(nameOf(digest(bytes)))
      return { kind: 'refused-commit', why }
    }
    const { added, authenticatedData } = processed.summary
    const before = members(node.state)
    const leaf = committerBefore(processed.summary)
    const origin = {
      parent: node.id,
      commitDigest: nameOf(digest(bytes)),
      committer: nameOf(
        before.find((member) => member.leaf === leaf)?.inboxKey ?? new Uint8Array(),
      ),
    }
    if (processed.kind === 'removed') {
      const { removed } = processed.summary
      const gone = before.filter((member) => removed.includes(member.leaf))
      const ousted = gone.map(({ inboxKey }) => nameOf(inboxKey))
      this.#epochs.addRemoval(node, { ...origin, ousted })
      return { kind: 'removed' }
    }
    const facts = {
      ...origin,
      ousted: oustedBetween(node.state, processed.state),
      added: added.map(({ inboxKey }) => inboxKey),
      floor: decodeFloor(authenticatedData) ?? 0,
      nowMs,
    }
    const commit = { bytes, sealFor: node.inboxKey.publicKey }
    return { kind: 'commit', epoch: await this.#epochs.add(processed.state, facts, commit) }
  }

  /** Whether bytes are a commit that is known: such come again for a reason. */
  isCommit(bytes: Uint8Array): boolean {
    return this.#knownCommit(nameOf(digest(bytes)))?.kind === 'known-commit'
  }

  #knownCommit(name: string): Opened | undefined {
    if (this.#refused.has(name)) return { kind: 'invalid' }
    const node = this.#epochs.begunBy(name)
    return node && { kind: 'known-commit', epoch: node }
  }
}

function viewOf(state: MlsState) {
  return { members: members(state), groupData: groupData(state) }
}
