/** A relay's surroundings for tests of the rule: no network, no disk, a clock that stands. */
import {
  buildOnion,
  createKeyPair,
  discloseAddress,
  encodeInstruction,
  type Forward,
  type Instruction,
  type KeyPair,
  minutesNow,
  NAMED_RELAY,
  PACKET_ID_BYTES,
  type PacketHeader,
  padPacket,
  type RelayPrices,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'
import type { LinkedPeer } from '../../../node/src/routing/next-hop.ts'
import { createView, type OverlayRelay } from '../../../node/src/routing/overlay.ts'
import type { Account, RuleState } from '../../../node/src/routing/rule.ts'
import { SeenMemory } from '../../../node/src/routing/seen.ts'

export const NOW_MS = Date.UTC(2026, 0, 15, 12, 0, 30)
export const NOW_MINUTES = minutesNow(NOW_MS)
export const PRICES: RelayPrices = { routeUnits: 100, holdUnitsPerHour: 60 }
/** Expiry of a packet held for an hour. */
export const HOUR_EXPIRY = roundUpExpiry(NOW_MINUTES + 60)
/** What one destination asks for such a packet. */
export const HOLD_FEE = PRICES.routeUnits + (HOUR_EXPIRY - NOW_MINUTES)

/** An address that starts with these bits, such as "1011". */
export function addressOf(bits: string, rest = 0): Uint8Array {
  const address = new Uint8Array(32).fill(rest)
  const first = discloseAddress(address, 0)
  ;[...bits].forEach((bit, i) => {
    const at = i >> 3
    const mask = 0x80 >> (i & 7)
    const current = i & 7 ? (first[at] ?? 0) : 0
    first[at] = bit === '1' ? current | mask : current
  })
  const known = Math.ceil(bits.length / 8)
  address.set(first.subarray(0, known))
  return address
}

export function relay(bits: string, prices: RelayPrices | undefined = PRICES): OverlayRelay {
  return { peerKey: bits, address: addressOf(bits, 0x5a), prices }
}

export function linkTo(target: OverlayRelay, canTake = true): LinkedPeer {
  return { relay: target, prices: target.prices ?? PRICES, canTake: () => canTake }
}

export interface WorldOptions {
  self?: string
  luminosity?: number
  others?: readonly OverlayRelay[]
  links?: readonly LinkedPeer[]
  sealKey?: KeyPair
  capacity?: number
  overrides?: Partial<RuleState>
}

/** The state of a relay whose links are all the others, unless told otherwise. */
export function world(options: WorldOptions = {}): RuleState & { sealKey: KeyPair } {
  const { self = '0000', luminosity = 0, others = [], capacity = 1_000 } = options
  const sealKey = options.sealKey ?? createKeyPair()
  return {
    nowMs: NOW_MS,
    view: createView(addressOf(self, 0x5a), luminosity, others),
    links: options.links ?? others.map((other) => linkTo(other)),
    prices: PRICES,
    seen: new SeenMemory({ capacity, keyBytes: PACKET_ID_BYTES }),
    acted: new SeenMemory({ capacity, keyBytes: 32 }),
    sealKeys: [sealKey],
    sealKey,
    forgottenUntilMinutes: 0,
    holdHasRoom: true,
    random: () => 0,
    ...options.overrides,
  }
}

export function account(creditUnits = 1_000_000): Account {
  return { durableUnits: creditUnits, spentUnits: 0 }
}

/** A packet to an inbox under these disclosed bits. */
export function inboxPacket(bits: string, expiryMinutes = HOUR_EXPIRY): Uint8Array {
  const header = headerFor(bits, expiryMinutes)
  return buildOnion({
    header,
    publicKey: createKeyPair().publicKey,
    instruction: { kind: 'drop' },
    hops: [],
    nowMinutes: NOW_MINUTES,
  })
}

export function headerFor(bits: string, expiryMinutes = HOUR_EXPIRY): PacketHeader {
  return { luminosity: bits.length, address: addressOf(bits), expiryMinutes }
}

/** A packet for exactly one relay. */
export function namedPacket(options: {
  address: Uint8Array
  sealKey: Uint8Array
  instruction: Instruction
  expiryMinutes?: number
  luminosity?: number
}): Uint8Array {
  const { address, sealKey, instruction, luminosity = NAMED_RELAY } = options
  const expiryMinutes = options.expiryMinutes ?? roundUpExpiry(NOW_MINUTES + 25)
  const header = { luminosity, address: discloseAddress(address, luminosity), expiryMinutes }
  const content = encodeInstruction(instruction)
  return padPacket(sealLayer({ header, publicKey: sealKey, content }))
}

/** A FORWARD around a DROP under no disclosed bits. */
export function forwardOf(postageUnits: number, delayMs = 0, innerBits = ''): Forward {
  const inner = sealLayer({
    header: headerFor(innerBits),
    publicKey: createKeyPair().publicKey,
    content: encodeInstruction({ kind: 'drop' }),
  })
  return { kind: 'forward', delayMs, postageUnits, inner }
}
