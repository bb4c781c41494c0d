/** Who commits, and what: deterministic from the epoch, so that members need no server to agree. */
import { compareDistance, equalBytes } from '@mainframe/protocol'
import type { GroupMember } from '../mls/group.ts'
import { encodeGroupData, type GroupData, isAdmin } from './group-data.ts'
import { MAX_ADDED } from './limits.ts'
import type { Wish } from './payloads.ts'
import { nameOf } from './reader.ts'

export interface Group {
  members: readonly GroupMember[]
  data: GroupData
}

/** A request as the steward sees it. */
export interface Request {
  /** 32 hex digits. */
  id: string
  /** Inbox key of whoever asks. */
  from: Uint8Array
  wish: Wish
  /** For `add`: inbox key of the one to be added. */
  newcomer?: Uint8Array
}

/**
 * Admins in the order in which they commit: by distance between inbox key and epoch authenticator,
 * which nobody can foresee. Those whom a request removes are left out, unless that leaves nobody.
 */
export function stewards(
  { members, data }: Group,
  epochAuthenticator: Uint8Array,
  requests: readonly Request[],
): Uint8Array[] {
  const target = epochAuthenticator.subarray(0, 32)
  const admins = members.map(({ inboxKey }) => inboxKey).filter((key) => isAdmin(data, key))
  const staying = admins.filter((key) => !requests.some((request) => removes(request, key)))
  return (staying.length > 0 ? staying : admins).sort((a, b) => compareDistance(target, a, b))
}

/** Whether a request still asks for a change that its sender may ask for. */
export function isOpen({ members, data }: Group, request: Request): boolean {
  const { wish, from } = request
  const has = (key: Uint8Array) => members.some(({ inboxKey }) => equalBytes(inboxKey, key))
  if (!has(from)) return false
  if (wish.op === 'leave') return true
  if (!isAdmin(data, from)) return false
  if (wish.op === 'add') return request.newcomer !== undefined && !has(request.newcomer)
  if (!has(wish.inboxKey)) return false
  return wish.op === 'remove' || isAdmin(data, wish.inboxKey) !== (wish.role === 'admin')
}

/** What one commit does. */
export interface Plan {
  add: Uint8Array[]
  /** Inbox keys of those who are added. */
  newcomers: Uint8Array[]
  /** Leaves. */
  remove: number[]
  /** The group's data afterwards, when it changes. */
  groupData: Uint8Array | undefined
  requests: Request[]
}

/**
 * The changes that open requests ask for, as far as one commit by `self` can do them. New group data
 * and removals never share a commit (ts-mls seals the path for the old data then): an admin who is to
 * go loses the role first.
 */
export function planCommit(
  group: Group,
  requests: readonly Request[],
  self: Uint8Array,
): Plan | undefined {
  const wanted = requests.filter((request) => isOpen(group, request) && !removes(request, self))
  const open: Request[] = []
  const newcomers: Uint8Array[] = []
  const admins = new Map(group.data.admins.map((key) => [nameOf(key), key]))
  const added = new Map<string, Uint8Array>()
  const removed = new Map<string, number>()
  for (const request of wanted) {
    const { wish } = request
    const key = subjectOf(request)
    const name = nameOf(key)
    // A group without an admin would stay as it is: such a wish waits until there is another one.
    const isLast = admins.size === 1 && admins.has(name)
    if (isLast && wish.op !== 'add' && !(wish.op === 'role' && wish.role === 'admin')) continue
    open.push(request)
    if (wish.op === 'add' && added.size < MAX_ADDED && !added.has(name)) {
      added.set(name, wish.keyPackage)
      newcomers.push(key)
      if (wish.role === 'admin') admins.set(name, key)
    } else if (wish.op === 'role' && !removed.has(name)) {
      if (wish.role === 'admin') admins.set(name, key)
      else admins.delete(name)
    } else if (wish.op === 'remove' || wish.op === 'leave') {
      removed.set(name, leafOf(group, key))
      admins.delete(name)
    }
  }
  if (open.length === 0) return undefined
  const groupData = encodeGroupData({ address: group.data.address, admins: [...admins.values()] })
  const isChanged = !equalBytes(groupData, encodeGroupData(group.data))
  return {
    add: [...added.values()],
    newcomers,
    remove: isChanged ? [] : [...removed.values()],
    groupData: isChanged ? groupData : undefined,
    requests: open,
  }
}

function removes({ wish, from }: Request, key: Uint8Array): boolean {
  if (wish.op === 'leave') return equalBytes(from, key)
  return wish.op === 'remove' && equalBytes(wish.inboxKey, key)
}

function subjectOf({ wish, from, newcomer }: Request): Uint8Array {
  if (wish.op === 'leave') return from
  return wish.op === 'add' ? (newcomer ?? from) : wish.inboxKey
}

function leafOf({ members }: Group, key: Uint8Array): number {
  return members.find(({ inboxKey }) => equalBytes(inboxKey, key))?.leaf ?? -1
}
