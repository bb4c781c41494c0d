/**
 * Writes test/vectors: what a second implementation of the protocol is checked against. Every value
 * is derived from fixed labels, so the files change only with the protocol.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { toHex } from '@mainframe/protocol'
import { addresses, contactCodes, continuity, luminosity, postage } from './vectors/network.ts'
import { headers, instructions, onion, seals } from './vectors/packets.ts'
import { frames, quotes, registration, vouchers } from './vectors/payments.ts'

export const VECTORS_FOLDER = new URL('../test/vectors/', import.meta.url)

/** The text of every vector file by its name. */
export function buildVectors(): Record<string, string> {
  const vectors = {
    addresses: addresses(),
    'contact-code': contactCodes(),
    continuity: continuity(),
    frames: frames(),
    headers: headers(),
    instructions: instructions(),
    luminosity: luminosity(),
    onion: onion(),
    postage: postage(),
    quote: quotes(),
    registration: registration(),
    seal: seals(),
    voucher: vouchers(),
  }
  return Object.fromEntries(
    Object.entries(vectors).map(([name, vector]) => [
      `${name}.json`,
      `${JSON.stringify(vector, plain, 2)}\n`,
    ]),
  )
}

/** Bytes as 0x-hex, and big numbers as decimal strings. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  return typeof value === 'bigint' ? value.toString() : value
}

if (import.meta.main) {
  await mkdir(VECTORS_FOLDER, { recursive: true })
  for (const [name, text] of Object.entries(buildVectors())) {
    await writeFile(new URL(name, VECTORS_FOLDER), text)
    console.log(`wrote test/vectors/${name}`)
  }
}
