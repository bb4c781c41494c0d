/** What differs between platforms, for browsers: no sockets, no files. */
import { webSockets } from '@libp2p/websockets'
import { MainframeError } from '@mainframe/protocol'
import { scryptAsync } from '@noble/hashes/scrypt.js'
import { SCRYPT, SCRYPT_KEY_BYTES, type Scrypt } from '../store/scrypt.ts'
import type { Store } from '../store/store.ts'
import { createWebSigning } from './web-signing.ts'

export { indexedDbStore } from '../store/indexed-db-store.ts'
export { openWebCrypto as openAside } from './web-crypto.ts'

export const signing = createWebSigning()

export function transports() {
  return [webSockets()]
}

/** Refuses with `CONFIG_INVALID`: a browser has no folders. */
export function fileStore(_folder: string): Store {
  throw new MainframeError(
    'CONFIG_INVALID',
    'A browser has no folders: pass indexedDbStore() or memoryStore()',
  )
}

/** Refuses with `CONFIG_INVALID`: a browser reads no files. */
export async function readLocalProfile(_file?: string): Promise<string> {
  throw new MainframeError(
    'CONFIG_INVALID',
    'A browser cannot look for a local network: pass the URL or the text of its profile',
  )
}

/** In JavaScript, in turns of some milliseconds: a page goes on living meanwhile. */
export const scrypt: Scrypt = (password, salt, logN) =>
  scryptAsync(password, salt, { N: 2 ** logN, ...SCRYPT, dkLen: SCRYPT_KEY_BYTES })
