/** WebCrypto, as far as it spares a page time. */
import { equalBytes, fromHex, type KeyPair } from '@mainframe/protocol'
import type { Aside } from './aside.ts'

/** PKCS #8 of an X25519 secret key (RFC 8410 §7), which follows. */
const PKCS8_HEAD = fromHex('0x302e020100300506032b656e04220420')
/** RFC 7748 §5.2: a secret key, a public one, and what they agree on. */
const KNOWN = {
  secretKey: fromHex('0xa546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4'),
  theirs: fromHex('0xe6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c'),
  agreed: fromHex('0xc3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552'),
}

/** `undefined` where there is no WebCrypto, or its X25519 is missing or wrong. */
export async function openWebCrypto(
  subtle: SubtleCrypto | undefined = globalThis.crypto?.subtle,
): Promise<Aside | undefined> {
  if (!subtle) return undefined
  const aside = createAside(subtle)
  const { secretKey, theirs, agreed } = KNOWN
  const answer = await aside.x25519({ secretKey, publicKey: theirs }, theirs)
  return answer && equalBytes(answer, agreed) ? aside : undefined
}

function createAside(subtle: SubtleCrypto): Aside {
  const keys = new WeakMap<KeyPair, Promise<CryptoKey>>()
  const importOnce = (own: KeyPair) => {
    const known = keys.get(own) ?? importSecret(subtle, own)
    keys.set(own, known)
    return known
  }
  return {
    x25519: async (own, theirs) => {
      try {
        const [secret, open] = await Promise.all([
          importOnce(own),
          subtle.importKey('raw', plain(theirs), 'X25519', false, []),
        ])
        return new Uint8Array(
          await subtle.deriveBits({ name: 'X25519', public: open }, secret, 256),
        )
      } catch {
        return undefined
      }
    },
    sha256: async (bytes) => new Uint8Array(await subtle.digest('SHA-256', plain(bytes))),
  }
}

/** Cannot be read back; the bytes stay where the caller has them. */
function importSecret(subtle: SubtleCrypto, { secretKey }: KeyPair): Promise<CryptoKey> {
  const pkcs8 = Uint8Array.of(...PKCS8_HEAD, ...secretKey)
  return subtle.importKey('pkcs8', pkcs8, 'X25519', false, ['deriveBits'])
}

/** WebCrypto takes no memory that threads share; nothing here is in such. */
function plain(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return bytes as Uint8Array<ArrayBuffer>
}
