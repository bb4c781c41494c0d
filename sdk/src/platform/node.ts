/** What differs between platforms, for Node; `browser.ts` is its counterpart. */
import { scrypt as openSslScrypt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import {
  concatBytes,
  ed25519PublicKey,
  ed25519Sign,
  ed25519Verify,
  fromHex,
  MainframeError,
} from '@mainframe/protocol'
import { randomBytes } from '../random.ts'
import { SCRYPT, SCRYPT_KEY_BYTES, type Scrypt } from '../store/scrypt.ts'
import type { Store } from '../store/store.ts'
import type { Aside } from './aside.ts'
import type { Signing } from './signing.ts'

export { fileStore } from '../store/file-store.ts'

/** Nothing: libsodium is as fast, and need not be waited for. */
export async function openAside(): Promise<Aside | undefined> {
  return undefined
}

const SEED_BYTES = 32
/** PKCS #8 of an Ed25519 seed (RFC 8410 §7), which follows. */
const PKCS8_HEAD = fromHex('0x302e020100300506032b657004220420')

/** By libsodium, without WebCrypto's detour by another thread. */
export const signing: Signing = {
  sign: async (secretKey, text) => {
    if (secretKey.length !== PKCS8_HEAD.length + SEED_BYTES) {
      throw new MainframeError('CRYPTO_INVALID_KEY', 'Not an Ed25519 secret key in PKCS #8')
    }
    return ed25519Sign(secretKey.subarray(PKCS8_HEAD.length), text)
  },
  verify: async (publicKey, text, signature) => ed25519Verify(publicKey, text, signature),
  keygen: async () => {
    const seed = randomBytes(SEED_BYTES)
    return { publicKey: ed25519PublicKey(seed), signKey: concatBytes(PKCS8_HEAD, seed) }
  },
}

/** Transports by which relays are reached. */
export function transports() {
  return [tcp(), webSockets()]
}

/** Refuses with `CONFIG_INVALID`: Node has no IndexedDB. */
export function indexedDbStore(_name: string): Store {
  throw new MainframeError(
    'CONFIG_INVALID',
    'Node has no IndexedDB: pass fileStore() or memoryStore()',
  )
}

/** Where `npm start` writes down its network, from the folder of the repository. */
const LOCAL_PROFILE = 'data/localnet/network.json'

/** The text of the profile of the network that runs on this machine. Throws `CONFIG_INVALID`. */
export async function readLocalProfile(file: string = LOCAL_PROFILE): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    throw new MainframeError(
      'CONFIG_INVALID',
      `No network has been written down in ${file}; start one with \`npm start\` and run from the same folder, or name the file or URL`,
      { cause, details: { file } },
    )
  }
}

/** By OpenSSL, in a thread of its own. */
export const scrypt: Scrypt = (password, salt, logN) => {
  const N = 2 ** logN
  // OpenSSL refuses what takes more than it is allowed; it wants a little beside the table itself
  const options = { N, ...SCRYPT, maxmem: 2 * 128 * N * SCRYPT.r }
  return new Promise((resolve, reject) => {
    openSslScrypt(password, salt, SCRYPT_KEY_BYTES, options, (error, key) => {
      if (error) reject(error)
      else resolve(Uint8Array.from(key))
    })
  })
}
