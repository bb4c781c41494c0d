/** What a curious network sends a relay, to see from its frames what it can open. */
import {
  discloseAddress,
  type Instruction,
  type Message,
  NAMED_RELAY,
  type PacketHeader,
  roundUpExpiry,
} from '@mainframe/protocol'
import type { MemoryRelay } from './memory-relay.ts'
import { HOLD_FEE, NOW_MINUTES } from './rule-world.ts'
import type { Seeded } from './seeded.ts'

/** Something to send at a moment, to one of two relays. */
export interface Offer {
  atMs: number
  via: 'entry' | 'target'
  packet: Uint8Array
  postageUnits: number
  level: number
}

export const DELAY_MS = 60_000
/** When the first FORWARD reaches the relay that is looked at. */
export const FIRST_MS = 1_000
const RICH = 60 * HOLD_FEE

/** Everything that a relay may be sent, for it and for others, in the minute before it injects. */
export function twinTraffic(
  random: Seeded,
  { target, others }: { target: MemoryRelay; others: readonly MemoryRelay[] },
): Offer[] {
  const offers: Offer[] = []
  const later = () => FIRST_MS + 500 * random.below(100)
  const offer = (packet: Uint8Array, fields: Partial<Offer> = {}) => {
    const via = random.pick(['entry', 'target'] as const)
    offers.push({ atMs: later(), via, packet, postageUnits: RICH, level: 0, ...fields })
  }
  const inbox = (luminosity = 0) => headerOf(target.address, luminosity, 60)
  const sealed = (header: PacketHeader, instruction: Instruction, to = target) =>
    random.layer(header, to.sealKey.publicKey, instruction)
  const named = (instruction: Instruction, to = target) =>
    random.pad(sealed(headerOf(to.address, NAMED_RELAY, 25), instruction, to))
  const forward = (inner: Uint8Array, postageUnits = 20 * HOLD_FEE, delayMs = DELAY_MS) =>
    random.forward(inner, { delayMs, postageUnits })
  const anybody = random.keyPair()
  const foreign = (bits = random.below(3)) =>
    random.layer(headerOf(random.bytes(32), bits, 60), anybody.publicKey, message(random))

  // FORWARDs for the relay, by an entry relay and directly, repeated with and without new padding
  const first = named(forward(foreign()))
  const direct = { via: 'target' } as const
  offer(first, { atMs: FIRST_MS, via: 'entry' })
  offer(first, direct)
  offer(repadded(random, first), direct)
  for (let i = 0; i < 3; i++) offer(named(forward(foreign())))
  // what opens and must not be obeyed
  offer(named(forward(foreign(), 2 * RICH)))
  offer(damaged(named({ kind: 'drop' })))
  const nothing = Uint8Array.from({ length: 1589 }, () => 9)
  const header = headerOf(target.address, NAMED_RELAY, 25)
  offer(random.pad(random.sealed(header, target.sealKey.publicKey, nothing)))
  offer(random.pad(sealed(inbox(), forward(foreign()))))
  // opened as one destination among others, also as a copy that is known at a higher level
  for (const bits of [0, 1, 2]) {
    offer(named({ kind: 'drop' }))
    offer(random.pad(sealed(inbox(bits), message(random))))
    offer(random.pad(sealed(inbox(bits), { kind: 'drop' })))
  }
  const preSent = random.pad(sealed(inbox(), message(random)))
  offer(preSent, { ...direct, atMs: 20_000, level: 2 })
  offer(preSent, { ...direct, atMs: 21_000, level: 0 })
  offer(preSent, { ...direct, atMs: 22_000, level: 0 })
  // what is refused
  for (const postageUnits of [1, HOLD_FEE - 1]) {
    offer(named({ kind: 'drop' }), { ...direct, postageUnits: Math.min(postageUnits, 99) })
    offer(random.pad(sealed(inbox(), message(random))), { ...direct, postageUnits })
  }
  offer(new Uint8Array(2048).fill(1), direct)
  offer(random.pad(sealed(headerOf(target.address, 0, -10), message(random))), direct)
  // other people's: some of their inner packets are for the relay
  for (let i = 0; i < 20; i++) {
    const inner = i % 4 === 0 ? sealed(inbox(i % 3), message(random)) : foreign()
    const delayMs = 100 * random.below(50)
    offer(random.pad(foreign()))
    offer(named(forward(inner, 20 * HOLD_FEE, delayMs), random.pick(others)))
  }
  return offers.sort((a, b) => a.atMs - b.atMs)
}

function headerOf(address: Uint8Array, luminosity: number, minutes: number): PacketHeader {
  const expiryMinutes = roundUpExpiry(NOW_MINUTES + minutes)
  return { luminosity, address: discloseAddress(address, luminosity), expiryMinutes }
}

function message(random: Seeded): Message {
  const payload = random.bytes(random.below(1_000))
  return { kind: 'message', messageId: random.bytes(16), index: 0, count: 1, payload }
}

/** The same layer with another filling: another packet under the same encapsulated key. */
function repadded(random: Seeded, packet: Uint8Array): Uint8Array {
  const copy = packet.slice()
  copy.set(random.bytes(50), packet.length - 50)
  return copy
}

function damaged(packet: Uint8Array): Uint8Array {
  const copy = packet.slice()
  copy[300] = (copy[300] ?? 0) ^ 1
  return copy
}
