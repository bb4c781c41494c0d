/** Ed25519 by the platform's WebCrypto, in the form that ts-mls takes. */
import type { Signature } from 'ts-mls'

const { subtle } = crypto
const ALGORITHM = 'Ed25519'

/** Secret keys are PKCS #8, which is what WebCrypto exports. */
export const ed25519: Signature = {
  sign: async (secret, message) => {
    const key = await subtle.importKey('pkcs8', plain(secret), ALGORITHM, false, ['sign'])
    return new Uint8Array(await subtle.sign(ALGORITHM, key, plain(message)))
  },
  verify: async (publicKey, message, signature) => {
    const key = await subtle.importKey('raw', plain(publicKey), ALGORITHM, false, ['verify'])
    return await subtle.verify(ALGORITHM, key, plain(signature), plain(message))
  },
  keygen: async () => {
    const { publicKey, privateKey } = (await subtle.generateKey(ALGORITHM, true, [
      'sign',
      'verify',
    ])) as CryptoKeyPair
    return {
      publicKey: new Uint8Array(await subtle.exportKey('raw', publicKey)),
      signKey: new Uint8Array(await subtle.exportKey('pkcs8', privateKey)),
    }
  },
}

/** WebCrypto takes no bytes whose memory may be shared with another thread; these are not. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
