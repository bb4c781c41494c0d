/** What Noise encrypts links with: its own choice, but for the cipher of every frame. */
import type { ICryptoInterface } from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { aeadOpen, aeadSeal, MainframeError } from '@mainframe/protocol'

/**
 * libsodium's ChaCha20-Poly1305 takes 2 µs for a frame; setting up a cipher of node:crypto for each
 * Noise message, which a link with little traffic needs for each frame, takes ten times as long.
 */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: (plaintext, nonce, aad, key) =>
    aeadSeal({ key, nonce, aad, text: plaintext.subarray() }),
  chaCha20Poly1305Decrypt: (ciphertext, nonce, aad, key) => {
    const plaintext = aeadOpen({ key, nonce, aad, text: ciphertext.subarray() })
    if (plaintext) return plaintext
    throw new MainframeError('NETWORK_CLOSED', 'The peer sent what its key did not encrypt')
  },
}
