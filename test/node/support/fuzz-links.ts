/** Whole links whose other side says whatever comes to its mind. */
import { setImmediate } from 'node:timers/promises'
import {
  encodeFrame,
  FRAME_BYTES,
  type FrameType,
  LINK_VERSION,
  PayerLink,
  type Shipment,
} from '@mainframe/protocol'
import { duplexPair, type TestStream } from '../../protocol/support/duplex.ts'
import type { Fuzz } from './fuzz-readers.ts'
import { createBodies, creditBody, releaseBody, type Samples } from './fuzz-samples.ts'
import { openChannel } from './memory-channels.ts'
import type { MemoryRelay } from './memory-relay.ts'
import { CHAIN_ID, CHANNELS } from './memory-terms.ts'
import { BODY_FIELDS, FRAME_FIELDS, mutated, PACKET_FIELDS, resized } from './mutations.ts'
import type { Seeded } from './seeded.ts'

/** Turns of the event loop after which a link that should end is said to hang. */
const MANY_TURNS = 5_000
/** Frames that one side says before it goes away. */
const FRAMES_PER_LINK = 10

/** What a hostile side writes in place of a frame that would be right. */
function spoil(random: Seeded, frame: Uint8Array): Uint8Array {
  switch (random.below(24)) {
    case 0:
      return random.bytes(random.below(2) === 0 ? FRAME_BYTES : random.below(4_000))
    case 1:
      return resized(random, frame)
    case 2:
    case 3:
      return mutated(random, frame, FRAME_FIELDS)
    default:
      return frame
  }
}

function spoilBody(random: Seeded, kind: keyof typeof BODY_FIELDS, body: Uint8Array): Uint8Array {
  return random.below(3) > 0 ? body : mutated(random, body, BODY_FIELDS[kind]).subarray(0, 2_048)
}

/**
 * Writes until it has said enough or the link is gone; answers how many frames it wrote. It begins
 * with up to two frames that are right, so that what follows is looked at more closely.
 */
async function talk(
  random: Seeded,
  stream: TestStream,
  { next, isOver }: { next(isHonest: boolean): Uint8Array; isOver(): boolean },
): Promise<number> {
  const honest = random.pick([0, 1, 2, 2, 2])
  let frames = 0
  try {
    for (; frames < FRAMES_PER_LINK && !isOver(); frames++) {
      const isHonest = frames < honest
      stream.send(isHonest ? next(true) : spoil(random, next(false)))
      // mostly long enough for an answer
      if (isHonest || random.below(3) > 0) await turns(1 + random.below(8))
    }
    await turns(random.below(8))
  } catch {
    // the other side ended the link, as it should
  }
  if (random.below(4) === 0) stream.abort(new Error('the peer is gone'))
  else await stream.close()
  return frames
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await setImmediate()
}

async function until(isOver: () => boolean): Promise<void> {
  for (let turn = 0; !isOver(); turn++) {
    if (turn > MANY_TURNS) throw new Error('The link hangs')
    await setImmediate()
  }
}

/** A hostile payer before a relay; answers how many frames it sent. */
export async function attackPayee(
  random: Seeded,
  relay: MemoryRelay,
  { packets }: Samples,
): Promise<number> {
  const [near, far] = duplexPair()
  relay.incoming.accept(far, random.bytes(32))
  const channel = openChannel({ secretKey: random.bytes(32) }, relay)
  const sequences = { packet: 0, credit: 0, release: 0 }
  let said = 0
  const next = (isHonest: boolean): Uint8Array => {
    const bodies = createBodies(random)
    const kind: FrameType = (['hello', 'credit'] as const)[said] ?? random.pick(PAYER_SAYS)
    said += 1
    if (kind === 'packet') {
      sequences.packet += 1
      const valid = random.pick(packets)
      const body = random.below(3) === 0 ? valid : mutated(random, valid, PACKET_FIELDS)
      const fields = { level: random.pick([0, 1, 256]), postageUnits: random.below(2_000) }
      return encodeFrame({
        type: kind,
        sequence: sequences.packet,
        body: body.subarray(0, 2_048),
        ...fields,
      })
    }
    if (kind === 'credit' || kind === 'release') {
      sequences[kind] += 1
      const units = 50_000 * (sequences.credit + random.below(2))
      const valid = kind === 'credit' ? creditBody(channel, units) : releaseBody(channel, units)
      const body = isHonest ? valid : spoilBody(random, 'credit', valid)
      return encodeFrame({ type: kind, sequence: sequences[kind], body })
    }
    if (kind === 'bye' || kind === 'deliver') return encodeFrame({ type: kind })
    const body = isHonest ? bodies[kind] : spoilBody(random, kind, bodies[kind])
    return encodeFrame({ type: kind, body })
  }
  const isOver = () => relay.incoming.count === 0
  const frames = await talk(random, near, { next, isOver })
  await until(isOver)
  relay.channels.clear()
  return frames
}

const PAYER_SAYS: readonly FrameType[] = [
  'packet',
  'packet',
  'packet',
  'packet',
  'credit',
  'credit',
  'release',
  'subscribe',
  'hello',
  'ack',
  'deliver',
  'bye',
]

/** A hostile relay before a payer; answers how many frames it sent. */
export async function attackPayer(
  { random, samples: { packets }, count }: Fuzz,
  relay: MemoryRelay,
): Promise<number> {
  const [near, far] = duplexPair()
  const link = new PayerLink<Shipment>(near, {
    onAccepted: () => count('PayerLink: accepted'),
    onRefused: () => count('PayerLink: refused'),
    onDeliver: () => count('PayerLink: delivered'),
    onCaughtUp: () => count('PayerLink: caught up'),
    onCreditStopped: () => count('PayerLink: stopped'),
  })
  const hello = { version: LINK_VERSION, chainId: CHAIN_ID, channels: CHANNELS }
  link.handshake({ ...hello, signedQuotes: [] }).catch(() => {})
  link.fund(openChannel({ secretKey: random.bytes(32) }, relay))
  relay.channels.clear()
  if (random.below(4) === 0) {
    link.release(new Uint8Array(0)).then(
      ({ outcome }) => count(`PayerLink: ${outcome === 'released' ? '' : 'not '}let go`),
      () => {}, // the link ended before
    )
  }
  for (let i = 0; i < 3; i++) {
    link.enqueue({ packet: random.pick(packets), postageUnits: 1 + random.below(500), level: 0 })
  }
  let said = 0
  const next = (isHonest: boolean): Uint8Array => {
    // the second frame is the answer to the voucher, before which no packet leaves
    const bodies = createBodies(random, { packets: said < 2 ? 0 : 3, credits: 1 })
    const kind = (['hello', 'ack'] as const)[said] ?? random.pick(RELAY_SAYS)
    said += 1
    if (kind === 'bye') return encodeFrame({ type: kind })
    if (kind !== 'deliver') {
      const body = isHonest ? bodies[kind] : spoilBody(random, kind, bodies[kind])
      return encodeFrame({ type: kind, body, sequence: kind === 'release' ? 1 : 0 })
    }
    const body = mutated(random, random.pick(packets), PACKET_FIELDS).subarray(0, 2_048)
    return encodeFrame({ type: kind, flags: random.below(3), sequence: random.below(99), body })
  }
  await setImmediate()
  const isOver = () => link.isClosed
  const frames = await talk(random, far, { next, isOver })
  await until(isOver)
  return frames
}

const RELAY_SAYS = [
  'ack',
  'ack',
  'ack',
  'ack',
  'deliver',
  'release',
  'hello',
  'subscribe',
  'bye',
] as const
