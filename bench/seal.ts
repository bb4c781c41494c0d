/** What sealing and opening cost, beside one X25519 of the same library in the same run. */
import { randomBytes } from 'node:crypto'
import {
  buildOnion,
  createKeyPair,
  encodeInstruction,
  type Message,
  minutesNow,
  openPacket,
  padPacket,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'
import sodium from 'sodium-native'
import { quantile, rounded } from './world/statistics.ts'

export interface SealFigures {
  /** One X25519 of libsodium. */
  x25519Us: number
  /** Sealing a MESSAGE and padding it. */
  sealUs: number
  /** Opening a packet that is for this key, and one that is not. */
  openUs: number
  openFailUs: number
  /** Building a packet with three FORWARDs. */
  onion3Us: number
  openRatio: number
  openFailRatio: number
}

const ROUNDS = 60
const CALLS_PER_ROUND = 100

export function benchSeal(): SealFigures {
  const times = measure(operations())
  const time = (name: keyof typeof times) => rounded(times[name])
  return {
    x25519Us: time('x25519'),
    sealUs: time('seal'),
    openUs: time('open'),
    openFailUs: time('openFail'),
    onion3Us: time('onion3'),
    openRatio: rounded(times.open / times.x25519),
    openFailRatio: rounded(times.openFail / times.x25519),
  }
}

function operations() {
  const [inbox, stranger] = [createKeyPair(), createKeyPair()]
  const hops = [1, 2, 3].map((layersLeft) => ({
    address: Uint8Array.from(randomBytes(32)),
    sealKey: createKeyPair().publicKey,
    delayMs: 0,
    postageUnits: layersLeft,
  }))
  const nowMinutes = minutesNow()
  const header = {
    luminosity: 0,
    address: new Uint8Array(32),
    expiryMinutes: roundUpExpiry(nowMinutes + 60),
  }
  const instruction: Message = {
    kind: 'message',
    messageId: Uint8Array.from(randomBytes(16)),
    index: 0,
    count: 1,
    payload: new Uint8Array(1_566),
  }
  const { publicKey } = inbox
  const content = encodeInstruction(instruction)
  const seal = () => padPacket(sealLayer({ header, publicKey, content }))
  const packet = seal()
  const sharedSecret = Buffer.alloc(32)
  const [secretKey, theirKey] = [inbox.secretKey, stranger.publicKey].map((key) => Buffer.from(key))
  if (!secretKey || !theirKey) throw new TypeError('Two keys were made')
  return {
    x25519: () => sodium.crypto_scalarmult(sharedSecret, secretKey, theirKey),
    seal,
    open: () => openPacket(packet, inbox),
    openFail: () => openPacket(packet, stranger),
    onion3: () => buildOnion({ header, publicKey, instruction, hops, nowMinutes }),
  }
}

/**
 * Microseconds of each operation: the median of many short rounds that take turns, so that a busy
 * moment of the machine falls on all of them alike.
 */
function measure<Name extends string>(run: Record<Name, () => unknown>): Record<Name, number> {
  const names = Object.keys(run) as Name[]
  const rounds = new Map<Name, number[]>(names.map((name) => [name, []]))
  for (let round = -5; round < ROUNDS; round++) {
    for (const name of names) {
      const operation = run[name]
      const start = performance.now()
      for (let i = 0; i < CALLS_PER_ROUND; i++) operation()
      const us = ((performance.now() - start) * 1_000) / CALLS_PER_ROUND
      if (round >= 0) rounds.get(name)?.push(us) // the first rounds warm up
    }
  }
  const medians = names.map((name) => [name, quantile(rounds.get(name) ?? [], 0.5)])
  return Object.fromEntries(medians) as Record<Name, number>
}
