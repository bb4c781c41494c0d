/** Noise as relays use it: the protocol of libp2p, with less work for the same bytes. */
import type { ConnectionEncrypter, MessageStream } from '@libp2p/interface'
import {
  type ICryptoInterface,
  type NoiseComponents,
  type NoiseExtensions,
  noise,
} from '@libp2p/noise'
import { defaultCrypto } from '@libp2p/noise/crypto'
import { aeadOpen, aeadSeal, MainframeError } from '@mainframe/protocol'

/**
 * libsodium's ChaCha20-Poly1305 takes 2 µs for a frame; setting up a cipher of node:crypto for each
 * Noise message, which a link with little traffic needs for each frame, takes ten times as long.
 */
const crypto: ICryptoInterface = {
  ...defaultCrypto,
  chaCha20Poly1305Encrypt: (plaintext, nonce, aad, key) =>
    aeadSeal({ key, nonce, aad, text: plaintext.subarray() }),
  chaCha20Poly1305Decrypt: (ciphertext, nonce, aad, key) => {
    const plaintext = aeadOpen({ key, nonce, aad, text: ciphertext.subarray() })
    if (plaintext) return plaintext
    throw new MainframeError('NETWORK_CLOSED', 'The peer sent what its key did not encrypt')
  },
}

export function relayNoise(): (
  components: NoiseComponents,
) => ConnectionEncrypter<NoiseExtensions> {
  const create = noise({ crypto })
  return (components) => {
    const encrypter = create(components)
    const secureInbound = encrypter.secureInbound.bind(encrypter)
    const secureOutbound = encrypter.secureOutbound.bind(encrypter)
    encrypter.secureInbound = (connection, options) =>
      secureInbound(writeWhole(connection), options)
    encrypter.secureOutbound = (connection, options) =>
      secureOutbound(writeWhole(connection), options)
    return encrypter
  }
}

/**
 * A Noise message comes as a length of two bytes and a ciphertext, and libp2p 3.3 writes each to the
 * socket by itself: two system calls and two segments for every frame of a link with little traffic.
 */
function writeWhole<Stream extends MessageStream>(connection: Stream): Stream {
  const send = connection.send.bind(connection)
  connection.send = (data) => send(data.subarray())
  return connection
}
