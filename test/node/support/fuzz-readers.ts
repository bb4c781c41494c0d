/** Hostile bytes before each reader of bytes, one case a call. */
import assert from 'node:assert/strict'
import {
  CONTENT_BYTES,
  decodeAck,
  decodeCredit,
  decodeFrame,
  decodeHello,
  decodeInstruction,
  decodePacket,
  decodeReleaseAnswer,
  decodeSubscribe,
  encodeFrame,
  FRAME_BYTES,
  type KeyPair,
  minutesNow,
  openPacket,
  openQuote,
  packetId,
  readFrames,
} from '@mainframe/protocol'
import { primitives } from '../../../protocol/src/crypto/native.ts'
import { duplexPair } from '../../protocol/support/duplex.ts'
import { createBodies, QUOTE_DOMAIN, type Samples, signedQuote } from './fuzz-samples.ts'
import {
  BODY_FIELDS,
  CONTENT_FIELDS,
  type Field,
  FRAME_FIELDS,
  mutated,
  PACKET_FIELDS,
  resized,
} from './mutations.ts'
import type { Seeded } from './seeded.ts'

/** What a fuzzer draws from and where it tells what came out. */
export interface Fuzz {
  random: Seeded
  count(outcome: string, times?: number): void
  samples: Samples
  /** Opens the samples. */
  sealKey: KeyPair
  /** The body of a valid CREDIT. */
  voucher: Uint8Array
}

/** Anything between noise and a valid one. */
function like(random: Seeded, valid: Uint8Array, fields: readonly Field[]): Uint8Array {
  const kind = random.below(20)
  if (kind === 0) return random.bytes(valid.length)
  if (kind === 1) return random.bytes(random.below(2 * valid.length))
  if (kind === 2) return resized(random, valid)
  return kind === 3 ? valid : mutated(random, valid, fields)
}

export function fuzzPacket({ random, count, samples, sealKey }: Fuzz): void {
  const packet = like(random, random.pick(samples.packets), PACKET_FIELDS)
  const header = decodePacket(packet, minutesNow())
  count(`decodePacket: ${typeof header === 'string' ? header : 'taken'}`)
  assert.equal(packetId(packet).length, 16)
  const content = openPacket(packet, sealKey)
  count(`openPacket: ${typeof content === 'string' ? content : 'opened'}`)
}

/** Contents that a sender sealed, however little they are instructions. */
export function fuzzInstruction({ random, count, samples, sealKey }: Fuzz): void {
  const content = like(random, random.pick(samples.contents), CONTENT_FIELDS)
  count(`decodeInstruction: ${decodeInstruction(content)?.kind ?? 'none'}`)
  if (!CONTENT_BYTES.includes(content.length) || random.below(8) > 0) return
  assert.deepEqual(openPacket(samples.sealed(content), sealKey), content)
}

export function fuzzFrame({ random, count, samples }: Fuzz): void {
  const valid = encodeFrame({ type: 'packet', sequence: 1, body: random.pick(samples.packets) })
  count(`decodeFrame: ${decodeFrame(like(random, valid, FRAME_FIELDS))?.type ?? 'none'}`)
}

export async function fuzzStream({ random, count, samples }: Fuzz): Promise<void> {
  const [near, far] = duplexPair()
  const valid = () => encodeFrame({ type: 'deliver', body: random.pick(samples.packets) })
  const frames = Array.from({ length: 1 + random.below(3) }, () =>
    random.below(2) === 0 ? valid() : like(random, valid(), FRAME_FIELDS),
  )
  const bytes = Buffer.concat(frames)
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + random.below(2 * FRAME_BYTES)
    near.send(bytes.subarray(at, end))
    at = end
  }
  await near.close()
  const read = []
  for await (const batch of readFrames(far)) read.push(...batch)
  const bad = read.indexOf(undefined)
  assert.ok(bad < 0 || bad === read.length - 1, 'something follows a frame that is none')
  assert.ok(read.length <= Math.ceil(bytes.length / FRAME_BYTES))
  count(`readFrames: ${bad < 0 ? 'whole' : 'broken'}`)
}

const nodeSeed = new Uint8Array(32).fill(7)
const nodeKey = primitives.ed25519PublicKey(nodeSeed)

export function fuzzBody({ random, count, voucher }: Fuzz): void {
  const { hello, ack, subscribe, release } = createBodies(random)
  const spoilt = (kind: keyof typeof BODY_FIELDS, valid: Uint8Array) =>
    like(random, valid, BODY_FIELDS[kind])
  const readers = {
    decodeHello: () => decodeHello(spoilt('hello', hello)),
    decodeAck: () => decodeAck(spoilt('ack', ack)),
    decodeSubscribe: () => decodeSubscribe(spoilt('subscribe', subscribe)),
    decodeReleaseAnswer: () => decodeReleaseAnswer(spoilt('release', release)),
    decodeCredit: () => decodeCredit(spoilt('credit', voucher)),
    openQuote: () => openQuote(anyQuote(random), nodeKey, QUOTE_DOMAIN),
  }
  const [name, read] = random.pick(Object.entries(readers))
  count(`${name}: ${read() ? 'read' : 'none'}`)
}

/** Most are signed, so that what is inside is read. */
function anyQuote(random: Seeded): Uint8Array {
  const valid = random.bytes(142)
  // no number is too large and none is missing
  for (const at of [72, 80, 88, 108, 118, 134]) valid.fill(0, at, at + 4)
  const quote = like(random, valid, BODY_FIELDS.quote.slice(0, -1))
  if (quote.length !== valid.length) return quote
  const signed = signedQuote(nodeSeed, quote)
  return random.below(4) === 0 ? like(random, signed, BODY_FIELDS.quote) : signed
}
