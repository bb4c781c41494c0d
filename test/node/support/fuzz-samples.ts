/** Valid packets, contents and bodies for a fuzzer to spoil. */
import {
  CREDIT_OUTCOMES,
  concatBytes,
  discloseAddress,
  encodeAck,
  encodeHello,
  encodeInstruction,
  encodeReleaseAnswer,
  encodeSubscribe,
  type Instruction,
  LINK_VERSION,
  MAX_QUOTES,
  minutesNow,
  NAMED_RELAY,
  PACKET_REFUSALS,
  type PayerChannel,
  RELEASE_OUTCOMES,
  releaseRequest,
  roundUpExpiry,
  SIGNED_QUOTE_BYTES,
  utf8,
} from '@mainframe/protocol'
import { primitives } from '../../../protocol/src/crypto/native.ts'
import { voucherBody } from '../../../protocol/src/link/payer-channel.ts'
import type { MemoryRelay } from './memory-relay.ts'
import { CHAIN_ID, CHANNELS } from './memory-terms.ts'
import type { Seeded } from './seeded.ts'

export const QUOTE_DOMAIN = { chainId: BigInt(CHAIN_ID), contract: CHANNELS }

export interface Samples {
  /** Packets for a relay and for others, as of now. */
  packets: readonly Uint8Array[]
  contents: readonly Uint8Array[]
  sealed(content: Uint8Array): Uint8Array
}

/** Packets of every kind, most of them for this relay. */
export function createSamples(random: Seeded, relay: MemoryRelay): Samples {
  const { publicKey } = relay.sealKey
  const header = (luminosity: number, minutes: number) => ({
    luminosity,
    address: discloseAddress(relay.address, luminosity),
    expiryMinutes: roundUpExpiry(minutesNow() + minutes),
  })
  const message = (length: number): Instruction => ({
    kind: 'message',
    messageId: random.bytes(16),
    index: 0,
    count: 2,
    payload: random.bytes(length),
  })
  const wrap = (inner: Uint8Array) => random.forward(inner, { delayMs: 1, postageUnits: 300 })
  const leaf = random.layer(header(0, 60), random.keyPair().publicKey, message(9))
  const one = random.layer(header(NAMED_RELAY, 25), publicKey, wrap(leaf))
  const two = random.layer(header(NAMED_RELAY, 25), publicKey, wrap(one))
  const all: Instruction[] = [{ kind: 'drop' }, message(0), message(1_566), wrap(leaf)]
  const named = [...all, wrap(one), wrap(two)].map((instruction) =>
    random.pad(random.layer(header(NAMED_RELAY, 25), publicKey, instruction)),
  )
  const held = [0, 1, 7, 128].flatMap((bits) =>
    all.map((instruction) => random.pad(random.layer(header(bits, 60), publicKey, instruction))),
  )
  return {
    packets: [...named, ...held, random.pad(leaf)],
    contents: [...all, wrap(one), wrap(two)].map(encodeInstruction),
    sealed: (content) => random.pad(random.sealed(header(NAMED_RELAY, 25), publicKey, content)),
  }
}

/** A valid body of each kind, of a link that has gone as far as this. */
export function createBodies(random: Seeded, sofar = { packets: 3, credits: 1 }) {
  const quotes = random.below(MAX_QUOTES + 1)
  const signedQuotes = Array.from({ length: quotes }, () => random.bytes(SIGNED_QUOTE_BYTES))
  const refused = Array.from({ length: random.below(4) }, () => ({
    sequence: random.below(sofar.packets + 1),
    reason: random.pick(PACKET_REFUSALS),
  }))
  return {
    hello: encodeHello({
      version: LINK_VERSION,
      chainId: CHAIN_ID,
      channels: CHANNELS,
      signedQuotes,
    }),
    ack: encodeAck({
      processed: random.below(sofar.packets + 1),
      spentUnits: random.below(1_000),
      durableUnits: random.below(100_000),
      creditSequence: random.below(sofar.credits + 1),
      credit: random.below(3) > 0 ? 'accepted' : random.pick(CREDIT_OUTCOMES),
      refused,
    }),
    release: encodeReleaseAnswer({
      outcome: random.pick(RELEASE_OUTCOMES),
      finalAmount: BigInt(random.below(1_000_000)),
      signature: random.bytes(64),
    }),
    subscribe: encodeSubscribe({
      bits: random.below(129),
      prefix: random.bytes(32),
      cursor: random.below(50),
    }),
  }
}

/** A voucher that the payee takes if its amount is the next greater one. */
export function creditBody(channel: PayerChannel, units: number): Uint8Array {
  return voucherBody(channel, BigInt(units) * channel.baseUnitsPerUnit)
}

/** A request for a release that the payee grants unless it holds a greater voucher. */
export function releaseBody(channel: PayerChannel, units: number): Uint8Array {
  const signedBase = BigInt(units) * channel.baseUnitsPerUnit
  return releaseRequest({ ...channel, signedBase }, channel.signerSecretKey)
}

/** Any 142 bytes as a quote that the key of this seed signed. */
export function signedQuote(seed: Uint8Array, quote: Uint8Array): Uint8Array {
  const chainId = new Uint8Array(32)
  new DataView(chainId.buffer).setUint32(28, CHAIN_ID)
  const message = concatBytes(utf8('mainframe/quote/1'), chainId, CHANNELS, quote)
  return concatBytes(quote, primitives.ed25519Sign(seed, message))
}
