/** Vectors of packets, seals, instructions and onions (PROTOCOL.md §1). */
import {
  decodePacket,
  encodeHeader,
  encodeInstruction,
  type Forward,
  type Instruction,
  type Message,
  openPacket,
  type PacketHeader,
  packetId,
  sealLayer,
} from '@mainframe/protocol'
import { fixed, fixedBytes, fixedKeyPair, padWith, trimZeros } from './material.ts'

const NOW_MINUTES = 29_500_000
const ADDRESS = new Uint8Array(32).fill(0xff)

export function headers() {
  const nowMinutes = NOW_MINUTES
  const encode = (luminosity: number, expiryMinutes: number, address: Uint8Array = ADDRESS) => ({
    luminosity,
    address,
    expiryMinutes,
    header: encodeHeader({ luminosity, address, expiryMinutes }),
  })
  const expiries = [5, 60, 20_170, 4_265_467_295]
  return {
    about:
      'Headers (PROTOCOL.md §1.1): fields and their 39 bytes; the address is cut to the bits disclosed',
    encode: [
      ...[0, 1, 7, 8, 9, 20, 127, 128, 256].map((bits) =>
        encode(bits, NOW_MINUTES + 30, fixed('address')),
      ),
      ...expiries.map((minutes) => encode(12, minutes)),
    ],
    decode: {
      about: 'Outcome for a packet of 2048 bytes that begins with `header` and is zeros behind it',
      nowMinutes,
      cases: decodeCases().map((header) => {
        const packet = new Uint8Array(2048)
        packet.set(header)
        const answer = decodePacket(packet, nowMinutes)
        return { header, outcome: typeof answer === 'string' ? answer : 'taken' }
      }),
    },
  }
}

function decodeCases(): Uint8Array[] {
  const header = (luminosity: number, expiryMinutes: number) =>
    encodeHeader({ luminosity, address: ADDRESS, expiryMinutes })
  const changed = (offset: number, ...values: number[]) => {
    const bytes = header(256, NOW_MINUTES + 30)
    bytes.set(values, offset)
    return bytes
  }
  const bitPastLuminosity = header(12, NOW_MINUTES + 60)
  bitPastLuminosity[4] = 0xf8
  return [
    header(0, NOW_MINUTES + 60),
    header(128, NOW_MINUTES + 20_170),
    header(128, NOW_MINUTES + 20_175),
    header(256, NOW_MINUTES + 30),
    header(256, NOW_MINUTES + 35),
    header(12, NOW_MINUTES),
    header(12, NOW_MINUTES + 5),
    changed(0, 0),
    changed(0, 2),
    changed(1, 0, 129),
    changed(1, 0, 255),
    changed(1, 1, 1),
    changed(1, 1, 8), // 264 bits would be 33 bytes of address
    changed(38, 1),
    changed(35, 0, 0, 0, 0),
    bitPastLuminosity,
  ]
}

const message: Message = {
  kind: 'message',
  messageId: fixed('message id').slice(0, 16),
  index: 2,
  count: 7,
  payload: fixedBytes('payload', 100),
}

export function instructions() {
  const inner = fixedBytes('inner layer', 1694)
  const forward: Forward = { kind: 'forward', delayMs: 123_456, postageUnits: 9_876_543_210, inner }
  const longest = { ...message, index: 0, count: 1, payload: fixedBytes('long payload', 1566) }
  const all: Instruction[] = [{ kind: 'drop' }, message, longest, forward]
  const bad = (size: number, start: number[]) => {
    const content = new Uint8Array(size)
    content.set(start)
    return { content: trimZeros(content) }
  }
  const postage = [0, 0, 0, 0, 0, 0, 0, 1]
  return {
    about: 'Contents (PROTOCOL.md §1.2): `bytes`, then zeros up to `length`',
    encode: all.map((instruction) => ({
      instruction,
      content: trimZeros(encodeInstruction(instruction)),
    })),
    refused: [
      bad(1589, [3]),
      bad(1588, [0]),
      bad(1707, [0]),
      bad(1589, [1, 0, 0, 0, 0, ...postage]),
      bad(1707, [1, 0, 0x04, 0x93, 0xe1, ...postage]),
      bad(1707, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
      bad(1707, [1, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 0, 0, 0]),
      bad(1589, [2, ...new Array<number>(16).fill(9), 0, 1, 0, 1, 0, 0]),
      bad(1589, [2, ...new Array<number>(16).fill(9), 0, 0, 0, 0, 0, 0]),
      bad(1589, [2, ...new Array<number>(16).fill(9), 0, 0, 0, 1, 6, 0x1f]),
    ],
  }
}

export function seals() {
  const keys = fixedKeyPair('inbox')
  const header: PacketHeader = {
    luminosity: 9,
    address: fixed('address'),
    expiryMinutes: NOW_MINUTES + 60,
  }
  const ephemeralSecret = fixed('ephemeral')
  const content = encodeInstruction(message)
  const layer = sealLayer({ header, publicKey: keys.publicKey, content, ephemeralSecret })
  const packet = padWith(layer, 'padding')
  const changes: [string, number, number][] = [
    ['nothing', 0, 0],
    ['padding', 2047, 1],
    ['version of the header', 0, 2],
    ['expiry in the header', 38, 1],
    ['encapsulated key', 39, 1],
    ['sealed length', 71, 1],
    ['tag of the sealed length', 88, 1],
    ['sealed content', 89, 1],
    ['tag of the sealed content', 1693, 1],
  ]
  return {
    about: 'A sealed layer (PROTOCOL.md §1.1), and what comes of it when one byte is XORed',
    ...keys,
    ephemeralSecret,
    header,
    content: trimZeros(content),
    layer,
    packet,
    packetId: packetId(packet),
    open: changes.map(([changed, offset, xor]) => {
      const other = packet.slice()
      other[offset] = (other[offset] ?? 0) ^ xor
      const answer = openPacket(other, keys)
      return { changed, offset, xor, outcome: typeof answer === 'string' ? answer : 'opened' }
    }),
  }
}

export function onion() {
  const { publicKey, secretKey } = fixedKeyPair('inbox')
  const hops = [1, 2, 3].map((n) => ({
    address: fixed(`hop ${n} address`),
    ...fixedKeyPair(`hop ${n}`),
    ephemeralSecret: fixed(`hop ${n} ephemeral`),
    delayMs: 1000 * n,
    postageUnits: 4096 - 1024 * n,
  }))
  const innermost = {
    header: { luminosity: 5, address: fixed('address'), expiryMinutes: NOW_MINUTES + 60 },
    publicKey,
    secretKey,
    ephemeralSecret: fixed('ephemeral'),
  }
  const instructions: Instruction[] = [message, { kind: 'drop' }]
  return {
    about:
      'Onions of 0 to 3 FORWARDs, the first of `hops`, around a MESSAGE and a DROP (PROTOCOL.md §1.2); `legs` from the outermost',
    nowMinutes: NOW_MINUTES,
    hops,
    innermost,
    onions: instructions.flatMap((instruction) =>
      [0, 1, 2, 3].map((count) => {
        const layers = onionLayers({ ...innermost, instruction }, hops.slice(0, count))
        return { instruction, hops: count, legs: layers.map(legOf) }
      }),
    ),
  }
}

interface FixedHop {
  address: Uint8Array
  publicKey: Uint8Array
  ephemeralSecret: Uint8Array
  delayMs: number
  postageUnits: number
}

/** All layers of an onion, the outermost first. */
function onionLayers(
  innermost: Omit<Parameters<typeof sealLayer>[0], 'content'> & { instruction: Instruction },
  hops: readonly FixedHop[],
): Uint8Array[] {
  const layers = [sealLayer({ ...innermost, content: encodeInstruction(innermost.instruction) })]
  for (const { address, publicKey, ephemeralSecret, delayMs, postageUnits } of hops.toReversed()) {
    const inner = layers[0] ?? new Uint8Array()
    const header = { luminosity: 256, address, expiryMinutes: NOW_MINUTES + 25 }
    const content = encodeInstruction({ kind: 'forward', delayMs, postageUnits, inner })
    layers.unshift(sealLayer({ header, publicKey, content, ephemeralSecret }))
  }
  return layers
}

/** A layer, the filling that makes it a packet of 2048 bytes, and the id of that. */
function legOf(layer: Uint8Array, index: number) {
  const packet = padWith(layer, `padding ${index}`)
  const padding = packet.slice(layer.length)
  return { contentBytes: layer.length - 105, layer, padding, packetId: packetId(packet) }
}
