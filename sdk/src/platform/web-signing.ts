/** Ed25519 by WebCrypto, which takes a tenth of the time that JavaScript does. */
import { equalBytes, fromHex } from '@mainframe/protocol'
import type { Signing } from './signing.ts'

const ALGORITHM = 'Ed25519'
const KEY_BYTES = 32

/**
 * The points of small order as they are encoded, without their signs. Chromium 156 takes signatures with
 * them and Node does not; members of a conversation must agree.
 */
const SMALL_ORDER = [
  '0x0000000000000000000000000000000000000000000000000000000000000000',
  '0x0100000000000000000000000000000000000000000000000000000000000000',
  '0x26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '0xc7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  '0xecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
].map((hex) => fromHex(hex as `0x${string}`))
/** 2^255 - 19, beyond which no coordinate is encoded. */
const PRIME = fromHex('0xedffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f')

export function createWebSigning(subtle: SubtleCrypto = crypto.subtle): Signing {
  return {
    sign: async (secretKey, text) => {
      const key = await subtle.importKey('pkcs8', plain(secretKey), ALGORITHM, false, ['sign'])
      return new Uint8Array(await subtle.sign(ALGORITHM, key, plain(text)))
    },
    verify: async (publicKey, text, signature) => {
      if (!isPrimary(publicKey) || !isPrimary(signature.subarray(0, KEY_BYTES))) return false
      const key = await subtle.importKey('raw', plain(publicKey), ALGORITHM, false, ['verify'])
      return await subtle.verify(ALGORITHM, key, plain(signature), plain(text))
    },
    keygen: async () => {
      const usages: KeyUsage[] = ['sign', 'verify']
      const pair = (await subtle.generateKey(ALGORITHM, true, usages)) as CryptoKeyPair
      return {
        publicKey: new Uint8Array(await subtle.exportKey('raw', pair.publicKey)),
        signKey: new Uint8Array(await subtle.exportKey('pkcs8', pair.privateKey)),
      }
    },
  }
}

/** Whether these bytes may be a point that is not of small order; it need not be one. */
function isPrimary(encoded: Uint8Array): boolean {
  const point = encoded.slice()
  point[KEY_BYTES - 1] = (point[KEY_BYTES - 1] ?? 0) & 0x7f
  return isBelowPrime(point) && !SMALL_ORDER.some((small) => equalBytes(small, point))
}

function isBelowPrime(point: Uint8Array): boolean {
  for (let i = KEY_BYTES - 1; i >= 0; i--) {
    const difference = (point[i] ?? 0) - (PRIME[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** WebCrypto takes no memory that threads share; nothing here is in such. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
