/** Which commits are allowed. Every receiver checks the same rules, so no server has to. */
import { equalBytes } from '@mainframe/protocol'
import type { GroupMember } from '../mls/group.ts'
import type { CommitSummary } from '../mls/process.ts'
import { MAX_MEMBERS } from '../mls/trees.ts'
import { decodeFloor, decodeGroupData, type GroupData, isAdmin } from './group-data.ts'
import { MAX_ADDED } from './limits.ts'
import { nameOf } from './reader.ts'

/** A group before or after a commit. */
export interface GroupView {
  members: readonly GroupMember[]
  /** Its extension, as bytes. */
  groupData: Uint8Array
}

/** Why a commit is refused. */
export const COMMIT_REFUSALS = [
  'not-admin',
  'does-more',
  'bad-floor',
  'bad-group-data',
  'address-changed',
  'admin-unknown',
  'no-admin',
  'committer-changed',
  'member-twice',
  'too-many-members',
] as const
export type CommitRefusal = (typeof COMMIT_REFUSALS)[number]

/**
 * Whether a commit may stand: admins may add, remove and set roles; every member may renew its own
 * keys, and come back into its own place. `after` is missing when the commit removes the reader.
 */
export function judgeCommit(
  summary: CommitSummary,
  before: GroupView,
  after: GroupView | undefined,
): CommitRefusal | undefined {
  const data = decodeGroupData(before.groupData)
  const committer = before.members.find(({ leaf }) => leaf === committerBefore(summary))
  if (!data || !committer) return 'bad-group-data'
  if (summary.doesMore || summary.added.length > MAX_ADDED) return 'does-more'
  if (decodeFloor(summary.authenticatedData) === undefined) return 'bad-floor'
  const changes = summary.added.length > 0 || summary.removed.length > 0 || summary.changesGroupData
  if (changes && !summary.isRejoin && !isAdmin(data, committer.inboxKey)) return 'not-admin'
  return after && judgeResult({ summary, data, committer }, after)
}

/** The leaf of a member who comes back may be another one afterwards. */
export function committerBefore({
  isRejoin,
  removed,
  committer,
}: CommitSummary): number | undefined {
  return isRejoin ? removed[0] : committer
}

function judgeResult(
  { summary, data, committer }: { summary: CommitSummary; data: GroupData; committer: GroupMember },
  after: GroupView,
): CommitRefusal | undefined {
  const next = decodeGroupData(after.groupData)
  if (!next) return 'bad-group-data'
  if (!equalBytes(next.address, data.address)) return 'address-changed'
  if (next.admins.length === 0) return 'no-admin'
  if (after.members.length > MAX_MEMBERS) return 'too-many-members'
  const same = after.members.find(({ leaf }) => leaf === summary.committer)
  const isSame =
    same &&
    equalBytes(same.inboxKey, committer.inboxKey) &&
    equalBytes(same.signatureKey, committer.signatureKey)
  if (!isSame) return 'committer-changed'
  const names = new Set(after.members.map(({ inboxKey }) => nameOf(inboxKey)))
  if (names.size !== after.members.length) return 'member-twice'
  return next.admins.every((key) => names.has(nameOf(key))) ? undefined : 'admin-unknown'
}
