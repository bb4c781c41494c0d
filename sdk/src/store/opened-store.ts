/** The store of a client: opened, with or without a passphrase, and fit to be used. */
import { MainframeError } from '@mainframe/protocol'
import { assertRestored } from './backup.ts'
import { type EncryptedStore, encryptedStore, isEncrypted } from './encrypted-store.ts'
import type { Store } from './store.ts'

/** The part of a client's options that is about its store. */
export interface StoreOptions {
  store: Store
  passphrase?: string | undefined
}

/** What it takes to put a backup back. */
export interface RestoreOptions extends StoreOptions {
  /** What `backup()` gave. */
  backup: Uint8Array
  /** The passphrase that it was made with. */
  backupPassphrase: string
}

/** A store that is open; one with a passphrase can be given another. */
export type OpenedStore = Store | EncryptedStore

/** Throws `STORE_LOCKED`, `STORE_PASSPHRASE`, `STORE_CORRUPT`, `CONFIG_INVALID`. */
export async function openStore({ store: inner, passphrase }: StoreOptions): Promise<OpenedStore> {
  const store = passphrase === undefined ? inner : encryptedStore(inner, passphrase)
  await store.open()
  try {
    if (passphrase === undefined && (await isEncrypted(store))) throw locked()
    await assertRestored(store)
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Throws `CONFIG_INVALID` for a store without a passphrase, and for an empty one. */
export async function changePassphrase(store: OpenedStore, passphrase: string): Promise<void> {
  if ('changePassphrase' in store) return await store.changePassphrase(passphrase)
  throw new MainframeError(
    'CONFIG_INVALID',
    'The store has no passphrase; put a backup of it into a new one that has',
  )
}

function locked(): MainframeError {
  return new MainframeError(
    'STORE_PASSPHRASE',
    'The store is encrypted; open the client with its passphrase',
  )
}
