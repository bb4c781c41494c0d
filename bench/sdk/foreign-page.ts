/** Runs in a browser: opens packets that are for somebody else, as a client does. */
import {
  createKeyPair,
  encodeInstruction,
  MESSAGE_PAYLOAD_BYTES,
  minutesNow,
  openPacket,
  packetEnc,
  padPacket,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'

const CONTENT = encodeInstruction({
  kind: 'message',
  messageId: new Uint8Array(16),
  index: 0,
  count: 1,
  payload: new Uint8Array(MESSAGE_PAYLOAD_BYTES),
})

function foreignPacket(): Uint8Array {
  const header = {
    luminosity: 0,
    address: new Uint8Array(32),
    expiryMinutes: roundUpExpiry(minutesNow() + 60),
  }
  const { publicKey } = createKeyPair()
  return padPacket(sealLayer({ header, publicKey, content: CONTENT }))
}

/** A function that has the browser itself do one X25519 with a packet's key, and waits for it. */
async function browsersX25519(): Promise<(theirKey: Uint8Array<ArrayBuffer>) => Promise<unknown>> {
  const { subtle } = crypto
  const own = await subtle.generateKey('X25519', false, ['deriveBits'])
  if (!('privateKey' in own)) throw new TypeError('X25519 has key pairs')
  return async (theirKey) => {
    const theirs = await subtle.importKey('raw', theirKey, 'X25519', false, [])
    return await subtle.deriveBits({ name: 'X25519', public: theirs }, own.privateKey, 256)
  }
}

const page = {
  /** Microseconds for each of so many packets, in rounds; they are sealed before. */
  measure: async (rounds: number, packets: number) => {
    const inbox = createKeyPair()
    const foreign = Array.from({ length: packets }, foreignPacket)
    const x25519 = await browsersX25519()
    const times = { openUs: [] as number[], webCryptoUs: [] as number[] }
    const usSince = (start: number) => ((performance.now() - start) * 1_000) / packets
    for (let round = 0; round < rounds; round++) {
      const start = performance.now()
      for (const packet of foreign) {
        if (openPacket(packet, inbox) !== 'unopened') throw new TypeError('It is for nobody here')
      }
      times.openUs.push(usSince(start))
      const next = performance.now()
      for (const packet of foreign) await x25519(Uint8Array.from(packetEnc(packet)))
      times.webCryptoUs.push(usSince(next))
    }
    return times
  },
}

export type ForeignPage = typeof page
Object.assign(globalThis, { page })
