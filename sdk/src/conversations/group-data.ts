/** What a conversation keeps in its group context, in welcomes, and beside commits. */
import { concatBytes, equalBytes } from '@mainframe/protocol'
import { MAX_MEMBERS } from '../mls/trees.ts'
import type { Published } from './epoch.ts'
import { MAX_FORMER } from './limits.ts'
import { compareBytes } from './order.ts'
import { readerOf, u16, u32, u48 } from './reader.ts'

const VERSION = 1
const KEY_BYTES = 32
const FLOOR_BYTES = 7

export interface GroupData {
  /** Address of the group's inbox: 32 random bytes, the same for ever. */
  address: Uint8Array
  /** Inbox keys of admins, ascending, each once. */
  admins: readonly Uint8Array[]
}

export function encodeGroupData({ address, admins }: GroupData): Uint8Array {
  const sorted = [...admins].sort(compareBytes)
  return concatBytes(Uint8Array.of(VERSION), address, u16(sorted.length), ...sorted)
}

export function decodeGroupData(bytes: Uint8Array): GroupData | undefined {
  const reader = readerOf(bytes)
  const version = reader.u8()
  const address = reader.bytes(KEY_BYTES)
  const count = reader.u16()
  if (version !== VERSION || count > MAX_MEMBERS) return undefined
  const admins = Array.from({ length: count }, () => reader.bytes(KEY_BYTES))
  const isAscending = admins.every((key, i) => {
    const before = admins[i - 1]
    return !before || compareBytes(before, key) < 0
  })
  return reader.finish(isAscending ? { address, admins } : undefined)
}

/**
 * What is carried to new members: the MLS welcome, and the commit that made it. They cannot read that,
 * but may be the only ones left to show it to others when rivals are compared.
 */
export interface CarriedWelcome {
  commit: Published
  welcome: Uint8Array
}

export function encodeWelcome({ commit, welcome }: CarriedWelcome): Uint8Array {
  const { sealFor, bytes } = commit
  return concatBytes(Uint8Array.of(VERSION), sealFor, u32(bytes.length), bytes, welcome)
}

export function decodeWelcome(bytes: Uint8Array): CarriedWelcome | undefined {
  const reader = readerOf(bytes)
  const version = reader.u8()
  const sealFor = reader.bytes(KEY_BYTES)
  const commit = { sealFor, bytes: reader.bytes(reader.u32()) }
  const welcome = reader.rest()
  return reader.finish(version === VERSION ? { commit, welcome } : undefined)
}

/** What new members read in their welcome. */
export interface WelcomeData {
  /** Lamport time up to which messages are from before they joined. */
  floor: number
  /** Former members, whose messages may still come: inbox and signature keys. */
  former: readonly { inboxKey: Uint8Array; signatureKey: Uint8Array }[]
}

export function encodeWelcomeData({ floor, former }: WelcomeData): Uint8Array {
  const people = former.slice(0, MAX_FORMER)
  return concatBytes(
    encodeFloor(floor),
    Uint8Array.of(people.length),
    ...people.flatMap(({ inboxKey, signatureKey }) => [inboxKey, signatureKey]),
  )
}

export function decodeWelcomeData(bytes: Uint8Array): WelcomeData | undefined {
  const floor = decodeFloor(bytes.subarray(0, FLOOR_BYTES))
  const reader = readerOf(bytes.subarray(FLOOR_BYTES))
  const count = reader.u8()
  if (floor === undefined || count > MAX_FORMER) return undefined
  const former = Array.from({ length: count }, () => ({
    inboxKey: reader.bytes(KEY_BYTES),
    signatureKey: reader.bytes(KEY_BYTES),
  }))
  return reader.finish({ floor, former })
}

/** A Lamport time, as it is signed with every commit: time goes on from there. */
export function encodeFloor(lamport: number): Uint8Array {
  return concatBytes(Uint8Array.of(VERSION), u48(lamport))
}

export function decodeFloor(bytes: Uint8Array): number | undefined {
  if (bytes.length !== FLOOR_BYTES) return undefined
  const reader = readerOf(bytes)
  const version = reader.u8()
  const lamport = reader.u48()
  return version === VERSION ? reader.finish(lamport) : undefined
}

export function isAdmin({ admins }: GroupData, inboxKey: Uint8Array): boolean {
  return admins.some((key) => equalBytes(key, inboxKey))
}
