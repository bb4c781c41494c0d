/** What the parts of one conversation share. */
import { digest, MainframeError, utf8 } from '@mainframe/protocol'
import { groupData, members } from '../mls/group.ts'
import type { Epoch, Published } from './epoch.ts'
import { Epochs } from './epochs.ts'
import { decodeGroupData } from './group-data.ts'
import { History } from './history.ts'
import { MAX_SEEN } from './limits.ts'
import { Opener } from './opener.ts'
import { Parked } from './parked.ts'
import { encodePayload, type Payload, type Statement } from './payloads.ts'
import { People } from './people.ts'
import type { ConversationEvent, ConversationPorts, MemberView } from './ports.ts'
import { nameOf } from './reader.ts'
import { Serial } from './serial.ts'
import { SHELF_KEYS, type Shelf, shelfOf } from './shelf.ts'
import type { Group } from './steward.ts'
import { encodeWire } from './wire.ts'

/** What is written down besides messages and keys. */
export interface Meta {
  /** Messages up to this Lamport time are from before one joined. */
  floor: number
  /** Highest Lamport time that a commit named. */
  clock: number
  /** When own keys were renewed last. */
  updatedAtMs: number
  ended: 'removed' | 'left' | undefined
  /** This member has asked to leave. */
  isLeaving: boolean
}

/** An own message that not everybody has, as far as is known. */
export interface Outgoing {
  isAccepted: boolean
  /** Names of members who have it. */
  to: Set<string>
  sinceMs: number
}

export interface Core {
  readonly ports: ConversationPorts
  readonly id: Uint8Array
  /** Own inbox key in hex. */
  readonly self: string
  readonly shelf: Shelf
  readonly serial: Serial
  readonly epochs: Epochs
  readonly opener: Opener
  readonly people: People
  readonly parked: Parked
  readonly outgoing: Map<string, Outgoing>
  /** What members said last about what they have. */
  readonly statements: Map<string, Statement>
  /** How often each outcome came up. */
  readonly counts: Map<string, number>
  readonly seen: Set<string>
  history: History
  meta: Meta
  /** Messages since own keys were renewed. */
  sinceUpdate: number
}

export const NEW_META: Meta = {
  floor: 0,
  clock: 0,
  updatedAtMs: 0,
  ended: undefined,
  isLeaving: false,
}

export function createCore(ports: ConversationPorts, id: Uint8Array, meta: Meta): Core {
  const shelf = shelfOf(ports.store, id)
  const epochs = new Epochs(ports.mls, shelf)
  const trouble = (error: unknown) => tell(ports, { type: 'trouble', error })
  return {
    ports,
    id,
    self: nameOf(ports.identity.inboxKey),
    shelf,
    serial: new Serial(ports.clock, trouble),
    epochs,
    opener: new Opener(ports.mls, epochs),
    people: new People(shelf),
    parked: new Parked(shelf),
    outgoing: new Map(),
    statements: new Map(),
    counts: new Map(),
    seen: new Set(),
    history: new History(meta.floor),
    meta,
    sinceUpdate: 0,
  }
}

/** What is written down of a conversation; `undefined` when there is none or it is damaged. */
export async function readMeta(shelf: Shelf): Promise<Meta | undefined> {
  const bytes = await shelf.get(SHELF_KEYS.meta)
  if (!bytes) return undefined
  try {
    return parseMeta(JSON.parse(new TextDecoder().decode(bytes)))
  } catch {
    return undefined
  }
}

export async function writeMeta(core: Core, change: Partial<Meta>): Promise<void> {
  core.meta = { ...core.meta, ...change }
  await core.shelf.set(SHELF_KEYS.meta, utf8(JSON.stringify(core.meta)))
}

function parseMeta(value: unknown): Meta | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { floor, clock, updatedAtMs, ended, isLeaving } = value as Partial<Meta>
  const numbers = [floor, clock, updatedAtMs]
  if (!numbers.every((number) => Number.isSafeInteger(number))) return undefined
  return { ...NEW_META, floor, clock, updatedAtMs, ended, isLeaving } as Meta
}

export function tell({ emit }: Pick<ConversationPorts, 'emit'>, event: ConversationEvent): void {
  try {
    emit(event)
  } catch {
    // An application's mistake is none of the conversation's.
  }
}

export function count(core: Core, outcome: string): void {
  core.counts.set(outcome, (core.counts.get(outcome) ?? 0) + 1)
}

/** Whether bytes were dealt with, as far as is remembered. */
export function isSeen(core: Core, bytes: Uint8Array): boolean {
  return core.seen.has(nameOf(digest(bytes).subarray(0, 16)))
}

/** Remembers that bytes were dealt with. */
export function remember(core: Core, bytes: Uint8Array): void {
  core.seen.add(nameOf(digest(bytes).subarray(0, 16)))
  const [oldest] = core.seen
  if (core.seen.size > MAX_SEEN && oldest !== undefined) core.seen.delete(oldest)
}

/** The newest epoch. Only for conversations that have not ended. */
export function headOf(core: Core): Epoch {
  const { head } = core.epochs
  if (!head) throw new MainframeError('INTERNAL', 'The conversation has ended; open another one')
  return head
}

/** The group as the newest epoch has it. */
export function groupOf(core: Core): Group {
  const { state } = headOf(core)
  const data = decodeGroupData(groupData(state))
  return { members: members(state), data: data ?? { address: new Uint8Array(32), admins: [] } }
}

export function memberViews(core: Core): MemberView[] {
  const { members: all, data } = groupOf(core)
  const admins = new Set(data.admins.map(nameOf))
  return all.map(({ inboxKey, signatureKey }) => ({
    inboxKey,
    signatureKey,
    role: admins.has(nameOf(inboxKey)) ? 'admin' : 'member',
  }))
}

/** Names of the members besides this one. */
export function othersOf(core: Core): string[] {
  return groupOf(core)
    .members.map(({ inboxKey }) => nameOf(inboxKey))
    .filter((name) => name !== core.self)
}

/** Seals and publishes; `accepted` tells whether the network took it, and never rejects. */
export async function publish(
  core: Core,
  payload: Payload,
): Promise<{ accepted: Promise<boolean> }> {
  const { publicKey: sealFor } = headOf(core).inboxKey
  const bytes = await core.epochs.encrypt(encodePayload(payload))
  return { accepted: publishBytes(core, { bytes, sealFor }) }
}

/** Publishes an MLS message as it is. */
export function publishBytes(core: Core, { bytes, sealFor }: Published): Promise<boolean> {
  return core.ports.publish(encodeWire(bytes), sealFor).then(
    () => true,
    (error: unknown) => {
      tell(core.ports, { type: 'trouble', error })
      return false
    },
  )
}
