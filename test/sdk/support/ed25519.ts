import { createPrivateKey, createPublicKey } from 'node:crypto'

/** PKCS #8 of an Ed25519 seed (RFC 8410 §7). */
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/** The key pair of an Ed25519 seed. */
export function createKeyPairSync(seed: Uint8Array): { seed: Uint8Array; publicKey: Uint8Array } {
  const der = Buffer.concat([PKCS8_HEAD, seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  return { seed: Uint8Array.from(seed), publicKey: Uint8Array.from(spki.subarray(-32)) }
}
