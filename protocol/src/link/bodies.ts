/**
 * Bodies of the control frames (PROTOCOL.md §3). Decoders take a whole body or one cut after its last
 * field, read nothing past that, and never throw.
 */
import { ADDRESS_BYTES, MAX_LUMINOSITY } from '../address.ts'
import {
  bigintToBytes,
  bytesToBigint,
  concatBytes,
  exactBytes,
  readU64,
  viewOf,
  writeU64,
} from '../bytes.ts'
import { MainframeError } from '../errors.ts'
import { PACKET_BYTES } from '../packet.ts'
import { SIGNED_QUOTE_BYTES } from '../quote.ts'
import { MAX_AMOUNT, SIGNATURE_BYTES } from '../voucher.ts'
import { maxQuotes } from './version.ts'

/** First frame of each side. Only a relay's answer carries quotes. */
export interface Hello {
  version: number
  chainId: number
  /** 20-byte address of PaymentChannels. */
  channels: Uint8Array
  /** Signed quotes as `openQuote` reads them, one a medium of exchange; none from a payer. */
  signedQuotes: readonly Uint8Array[]
}

/** A voucher with the terms of its channel; the payee is the relay that receives it. */
export interface Credit {
  payer: Uint8Array
  token: Uint8Array
  signer: Uint8Array
  noticeSeconds: number
  epoch: number
  amount: bigint
  signature: Uint8Array
}

/**
 * Why a relay did not take a packet; nothing was debited. A duplicate is not among them: it was
 * taken, at the route fee alone.
 */
export const PACKET_REFUSALS = [
  'malformed',
  'version',
  'expired',
  'too-far',
  'busy',
  'underpaid',
  'full',
  'no-credit',
] as const
export type PacketRefusal = (typeof PACKET_REFUSALS)[number]

/** What became of a voucher; anything but `accepted` left the credit as it was. */
export const CREDIT_OUTCOMES = [
  'accepted',
  'malformed',
  'unknown-channel',
  'bad-signature',
  'wrong-epoch',
  'wrong-terms',
  'closing',
  'not-greater',
  'over-deposit',
  'over-window',
  'small-deposit',
  'busy',
] as const
export type CreditOutcome = (typeof CREDIT_OUTCOMES)[number]

/** Progress of a link, from payee to payer. */
export interface Ack {
  /** Every PACKET up to this sequence was processed. 0 for none. */
  processed: number
  /** Units of the channel's epoch that were debited, and that are durable as vouchers. */
  spentUnits: number
  durableUnits: number
  /** Number of the newest CREDIT that was judged, and what became of it; 0 for none. */
  creditSequence: number
  credit: CreditOutcome
  /** Packets at or below `processed` that were not taken. */
  refused: readonly { sequence: number; reason: PacketRefusal }[]
}

/** A wish for every held and coming packet that matches a prefix. */
export interface Subscribe {
  bits: number
  prefix: Uint8Array
  /** Deliver only what arrived after this cursor; 0 for all that is held. */
  cursor: number
}

/** Flag of a DELIVER without a packet: everything held up to its sequence was delivered. */
export const CAUGHT_UP_FLAG = 1

const ACCOUNT_BYTES = 20
const HELLO_HEAD_BYTES = 11 + ACCOUNT_BYTES
const CREDIT_BYTES = 84 + SIGNATURE_BYTES
const SUBSCRIBE_BYTES = 10 + ADDRESS_BYTES
const REFUSAL_BYTES = 9
const ACK_HEAD_BYTES = 35
/** The most refusals that one ACK names. */
export const MAX_REFUSALS = Math.floor((PACKET_BYTES - ACK_HEAD_BYTES) / REFUSAL_BYTES)

/** Throws `VALIDATION_FAILED` when there are more quotes than {@link maxQuotes}. */
export function encodeHello({ version, chainId, channels, signedQuotes }: Hello): Uint8Array {
  if (signedQuotes.length > maxQuotes(version)) {
    const most = maxQuotes(version)
    throw new MainframeError('VALIDATION_FAILED', `A HELLO carries at most ${most} quotes`)
  }
  const head = new Uint8Array(11)
  const view = viewOf(head)
  view.setUint16(0, version)
  writeU64(view, 2, chainId)
  head[10] = signedQuotes.length
  const quotes = signedQuotes.map((quote) => exactBytes(quote, SIGNED_QUOTE_BYTES))
  return concatBytes(head, exactBytes(channels, ACCOUNT_BYTES), ...quotes)
}

export function decodeHello(body: Uint8Array): Hello | undefined {
  if (body.length < HELLO_HEAD_BYTES) return undefined
  const view = viewOf(body)
  const version = view.getUint16(0)
  const chainId = readU64(view, 2)
  const count = view.getUint8(10)
  if (chainId === undefined || count > maxQuotes(version)) return undefined
  if (body.length < HELLO_HEAD_BYTES + count * SIGNED_QUOTE_BYTES) return undefined
  const signedQuotes = Array.from({ length: count }, (_, i) => {
    const start = HELLO_HEAD_BYTES + i * SIGNED_QUOTE_BYTES
    return body.slice(start, start + SIGNED_QUOTE_BYTES)
  })
  return { version, chainId, channels: body.slice(11, HELLO_HEAD_BYTES), signedQuotes }
}

export function encodeCredit(credit: Credit): Uint8Array {
  const numbers = new Uint8Array(8)
  const view = viewOf(numbers)
  view.setUint32(0, credit.noticeSeconds)
  view.setUint32(4, credit.epoch)
  return concatBytes(
    exactBytes(credit.payer, ACCOUNT_BYTES),
    exactBytes(credit.token, ACCOUNT_BYTES),
    exactBytes(credit.signer, ACCOUNT_BYTES),
    numbers,
    bigintToBytes(credit.amount, 16),
    exactBytes(credit.signature, SIGNATURE_BYTES),
  )
}

export function decodeCredit(body: Uint8Array): Credit | undefined {
  if (body.length < CREDIT_BYTES) return undefined
  const view = viewOf(body)
  const amount = bytesToBigint(body.subarray(68, 84))
  if (amount > MAX_AMOUNT) return undefined
  return {
    payer: body.slice(0, 20),
    token: body.slice(20, 40),
    signer: body.slice(40, 60),
    noticeSeconds: view.getUint32(60),
    epoch: view.getUint32(64),
    amount,
    signature: body.slice(84, CREDIT_BYTES),
  }
}

/** Throws `VALIDATION_FAILED` when there are more refusals than {@link MAX_REFUSALS}. */
export function encodeAck(ack: Ack): Uint8Array {
  if (ack.refused.length > MAX_REFUSALS) {
    throw new MainframeError('VALIDATION_FAILED', `An ACK names at most ${MAX_REFUSALS} refusals`)
  }
  const out = new Uint8Array(ACK_HEAD_BYTES + REFUSAL_BYTES * ack.refused.length)
  const view = viewOf(out)
  writeU64(view, 0, ack.processed)
  writeU64(view, 8, ack.spentUnits)
  writeU64(view, 16, ack.durableUnits)
  writeU64(view, 24, ack.creditSequence)
  view.setUint8(32, CREDIT_OUTCOMES.indexOf(ack.credit))
  view.setUint16(33, ack.refused.length)
  ack.refused.forEach(({ sequence, reason }, i) => {
    writeU64(view, ACK_HEAD_BYTES + REFUSAL_BYTES * i, sequence)
    view.setUint8(ACK_HEAD_BYTES + REFUSAL_BYTES * i + 8, PACKET_REFUSALS.indexOf(reason))
  })
  return out
}

export function decodeAck(body: Uint8Array): Ack | undefined {
  if (body.length < ACK_HEAD_BYTES) return undefined
  const view = viewOf(body)
  const processed = readU64(view, 0)
  const spentUnits = readU64(view, 8)
  const durableUnits = readU64(view, 16)
  const creditSequence = readU64(view, 24)
  const credit = CREDIT_OUTCOMES[view.getUint8(32)]
  const refused = decodeRefusals(body.subarray(ACK_HEAD_BYTES), view.getUint16(33))
  if (processed === undefined || spentUnits === undefined || durableUnits === undefined) {
    return undefined
  }
  if (creditSequence === undefined || !credit || !refused) return undefined
  return { processed, spentUnits, durableUnits, creditSequence, credit, refused }
}

function decodeRefusals(bytes: Uint8Array, count: number): Ack['refused'] | undefined {
  if (count > MAX_REFUSALS || bytes.length < REFUSAL_BYTES * count) return undefined
  const view = viewOf(bytes)
  const refused = []
  for (let i = 0; i < count; i++) {
    const sequence = readU64(view, REFUSAL_BYTES * i)
    const reason = PACKET_REFUSALS[view.getUint8(REFUSAL_BYTES * i + 8)]
    if (sequence === undefined || !reason) return undefined
    refused.push({ sequence, reason })
  }
  return refused
}

export function encodeSubscribe({ bits, prefix, cursor }: Subscribe): Uint8Array {
  const numbers = new Uint8Array(10)
  const view = viewOf(numbers)
  view.setUint16(0, bits)
  writeU64(view, 2, cursor)
  return concatBytes(numbers, exactBytes(prefix, ADDRESS_BYTES))
}

export function decodeSubscribe(body: Uint8Array): Subscribe | undefined {
  if (body.length < SUBSCRIBE_BYTES) return undefined
  const view = viewOf(body)
  const bits = view.getUint16(0)
  const cursor = readU64(view, 2)
  if (bits > MAX_LUMINOSITY || cursor === undefined) return undefined
  return { bits, cursor, prefix: body.slice(10, SUBSCRIBE_BYTES) }
}
