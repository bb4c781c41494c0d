/** What members publish, read by one of them. Bad bytes have a name, and never throw. */

import { equalBytes } from '@mainframe/protocol'
import type { PrivateMessage, ProposalWithSender, PublicMessage } from 'ts-mls'
import { decodeMlsMessage } from 'ts-mls/message.js'
import { decryptSenderData } from 'ts-mls/privateMessage.js'
import { processPrivateMessage, processPublicMessage } from 'ts-mls/processMessages.js'
import { emptyPskIndex } from 'ts-mls/pskIndex.js'
import { members, ownLeaf } from './group.ts'
import { type MlsState, wipeConsumed, wrapState } from './state.ts'
import { inboxKeyOf, type Mls } from './suites.ts'

/** What can be read of a message without any key. */
export interface Peeked {
  groupId: Uint8Array
  epoch: number
  content: 'application' | 'proposal' | 'commit'
}

/** What a commit does, besides the states before and after. */
export interface CommitSummary {
  /** Leaf of the committer; that of the member who came back when `isRejoin`. */
  committer: number
  /** The member came back by an external commit and replaced its own leaf. */
  isRejoin: boolean
  added: readonly { inboxKey: Uint8Array; signatureKey: Uint8Array }[]
  /** Leaves of the state before. */
  removed: readonly number[]
  changesGroupData: boolean
  /** It does something that conversations have no use for. */
  doesMore: boolean
  authenticatedData: Uint8Array
}

export type Processed =
  | { kind: 'message'; state: MlsState; sender: number; text: Uint8Array }
  | { kind: 'commit'; state: MlsState; summary: CommitSummary }
  /** The commit removes this very member. */
  | { kind: 'removed'; summary: CommitSummary }
  /** `foreign`: of this epoch's number, but not of this branch of it. */
  | {
      kind: 'own' | 'proposal' | 'wrong-group' | 'wrong-epoch' | 'malformed' | 'invalid' | 'foreign'
    }

type Message =
  | { content: Peeked['content']; private: PrivateMessage }
  | { content: 'commit'; public: PublicMessage }

/** Group, epoch and content; `undefined` when these are no bytes that members publish. */
export function peek(bytes: Uint8Array): Peeked | undefined {
  const message = decode(bytes)
  if (!message) return undefined
  const { groupId, epoch } = 'private' in message ? message.private : message.public.content
  if (epoch > BigInt(Number.MAX_SAFE_INTEGER)) return undefined
  return { groupId, epoch: Number(epoch), content: message.content }
}

/** Reads a message of a state's very epoch. */
export async function process(mls: Mls, state: MlsState, bytes: Uint8Array): Promise<Processed> {
  const message = decode(bytes)
  if (!message) return { kind: 'malformed' }
  const { groupId, epoch } = 'private' in message ? message.private : message.public.content
  if (!equalBytes(groupId, state.groupId)) return { kind: 'wrong-group' }
  if (epoch !== state.inner.groupContext.epoch) return { kind: 'wrong-epoch' }
  try {
    if ('public' in message) return await processRejoin(mls, state, message.public)
    return await processMember(mls, state, message.private)
  } catch {
    return { kind: 'invalid' }
  }
}

async function processMember(
  mls: Mls,
  state: MlsState,
  message: PrivateMessage,
): Promise<Processed> {
  const sender = await senderOf(mls, state, message)
  if (sender === undefined) return { kind: 'foreign' }
  if (sender === ownLeaf(state)) return { kind: 'own' }
  if (message.contentType === 'proposal') return { kind: 'proposal' }
  const seen: { proposals: readonly ProposalWithSender[] } = { proposals: [] }
  const summarised = () =>
    summarise(seen.proposals, {
      committer: sender,
      isRejoin: false,
      authenticatedData: message.authenticatedData,
    })
  const result = await readPrivate(mls, state, message, seen)
  // What the commit consumed is not zeroed: a rival commit on the same state must stay readable.
  if (!result) {
    const summary = summarised()
    const isRemoved = summary.removed.includes(ownLeaf(state))
    return isRemoved ? { kind: 'removed', summary } : { kind: 'invalid' }
  }
  if (result.kind === 'applicationMessage') {
    wipeConsumed(result.consumed)
    return { kind: 'message', state: wrapState(result.newState), sender, text: result.message }
  }
  if (result.newState.groupActiveState.kind === 'removedFromGroup') {
    return { kind: 'removed', summary: summarised() }
  }
  return { kind: 'commit', state: wrapState(result.newState), summary: summarised() }
}

/**
 * `undefined` when it fails. The proposals of a commit are known by then if they were valid and it is
 * signed: ts-mls does not see that it removes the reader when a new member takes the same leaf.
 */
async function readPrivate(
  mls: Mls,
  state: MlsState,
  message: PrivateMessage,
  seen: { proposals: readonly ProposalWithSender[] },
) {
  try {
    return await processPrivateMessage(
      state.inner,
      message,
      emptyPskIndex,
      mls.impl,
      (incoming) => {
        if (incoming.kind === 'commit') seen.proposals = incoming.proposals
        return 'accept'
      },
    )
  } catch {
    return undefined
  }
}

async function senderOf(
  mls: Mls,
  state: MlsState,
  message: PrivateMessage,
): Promise<number | undefined> {
  try {
    const { senderDataSecret } = state.inner.keySchedule
    return (await decryptSenderData(message, senderDataSecret, mls.impl))?.leafIndex
  } catch {
    return undefined
  }
}

async function processRejoin(
  mls: Mls,
  state: MlsState,
  message: PublicMessage,
): Promise<Processed> {
  const former = formerLeaf(state, message)
  if (former === undefined || former === ownLeaf(state)) return { kind: 'invalid' }
  const result = await processPublicMessage(state.inner, message, emptyPskIndex, mls.impl)
  const next = wrapState(result.newState)
  const { signatureKey } = members(state).find(({ leaf }) => leaf === former) ?? {}
  const back = members(next).find(
    (member) => signatureKey && equalBytes(member.signatureKey, signatureKey),
  )
  if (!back) return { kind: 'invalid' }
  const { authenticatedData } = message.content
  return {
    kind: 'commit',
    state: next,
    summary: {
      committer: back.leaf,
      isRejoin: true,
      added: [],
      removed: [former],
      changesGroupData: false,
      doesMore: false,
      authenticatedData,
    },
  }
}

/**
 * The leaf that an external commit replaces: it must hold the very inbox and signature key of the one
 * who comes. Checked before ts-mls sees it, which does not look whether the leaf is in the tree.
 */
function formerLeaf(state: MlsState, { content }: PublicMessage): number | undefined {
  if (content.contentType !== 'commit' || !content.commit.path) return undefined
  const { leafNode } = content.commit.path
  const inboxKey = inboxKeyOf(leafNode.credential)
  const removed = content.commit.proposals.flatMap((entry) =>
    entry.proposalOrRefType === 'proposal' && entry.proposal.proposalType === 'remove'
      ? [entry.proposal.remove.removed]
      : [],
  )
  const [leaf] = removed
  if (content.commit.proposals.length !== 2 || removed.length !== 1 || !inboxKey) return undefined
  const member = members(state).find((entry) => entry.leaf === leaf)
  const isSame =
    member &&
    equalBytes(member.inboxKey, inboxKey) &&
    equalBytes(member.signatureKey, leafNode.signaturePublicKey)
  return isSame ? leaf : undefined
}

function summarise(
  proposals: readonly ProposalWithSender[],
  facts: Pick<CommitSummary, 'committer' | 'isRejoin' | 'authenticatedData'>,
): CommitSummary {
  const added: CommitSummary['added'][number][] = []
  const removed: number[] = []
  let changesGroupData = false
  let doesMore = false
  for (const { proposal } of proposals) {
    if (proposal.proposalType === 'add') {
      const { credential, signaturePublicKey } = proposal.add.keyPackage.leafNode
      const inboxKey = inboxKeyOf(credential)
      if (inboxKey) added.push({ inboxKey, signatureKey: signaturePublicKey })
      else doesMore = true
    } else if (proposal.proposalType === 'remove') removed.push(proposal.remove.removed)
    else if (proposal.proposalType === 'group_context_extensions') changesGroupData = true
    else doesMore = true
  }
  return { ...facts, added, removed, changesGroupData, doesMore }
}

function decode(bytes: Uint8Array): Message | undefined {
  try {
    const [message, length] = decodeMlsMessage(bytes, 0) ?? []
    if (!message || length !== bytes.length) return undefined
    if (message.wireformat === 'mls_private_message') {
      return { content: message.privateMessage.contentType, private: message.privateMessage }
    }
    if (message.wireformat !== 'mls_public_message') return undefined
    const { content, senderType } = message.publicMessage
    // Only those who come back publish in the open.
    if (senderType !== 'new_member_commit' || content.contentType !== 'commit') return undefined
    return { content: 'commit', public: message.publicMessage }
  } catch {
    return undefined
  }
}
