/** A store in a folder: one file a key, replaced as a whole. Node only. */
import { randomUUID } from 'node:crypto'
import { mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MainframeError } from '@mainframe/protocol'
import { STORE_KEY, type Store } from './store.ts'

/** Upper-case, so that it is no key. */
const TEMPORARY = 'TMP-'
const LOCK = 'LOCK'
/** SQLite's result code for a file that another connection holds. */
const SQLITE_BUSY = 5

/**
 * Keeps values in files of mode 0600 in a folder of mode 0700. A value is written beside the old one,
 * synced, and renamed over it, so a crash at any moment leaves the old or the new one whole.
 * Refuses with `STORE_LOCKED` when another process or client holds the folder, with `STORE_FAILED`
 * when the disk does not do what it is asked.
 */
export function fileStore(folder: string): Store {
  return new FileStore(folder)
}

class FileStore implements Store {
  readonly #folder: string
  #lock: DatabaseSync | undefined

  constructor(folder: string) {
    this.#folder = folder
  }

  async open(): Promise<void> {
    await this.#attempt(async () => {
      await mkdir(this.#folder, { recursive: true, mode: 0o700 })
    })
    this.#lock = takeLock(this.#folder)
    await this.#attempt(() => this.#removeTemporaries())
  }

  async get(key: string): Promise<Uint8Array | undefined> {
    return await this.#attempt(async () => {
      try {
        return Uint8Array.from(await readFile(this.#path(key)))
      } catch (cause) {
        if (isErrno(cause, 'ENOENT')) return undefined
        throw cause
      }
    })
  }

  async set(key: string, value: Uint8Array): Promise<void> {
    await this.#attempt(async () => {
      const temporary = join(this.#folder, `${TEMPORARY}${randomUUID()}`)
      const handle = await open(temporary, 'wx', 0o600)
      try {
        await handle.writeFile(value)
        await handle.sync()
      } finally {
        await handle.close()
      }
      await rename(temporary, this.#path(key))
      await this.#sync()
    })
  }

  async delete(key: string): Promise<void> {
    await this.#attempt(async () => {
      await unlink(this.#path(key)).catch((cause: unknown) => {
        if (!isErrno(cause, 'ENOENT')) throw cause
      })
      await this.#sync()
    })
  }

  async list(prefix: string): Promise<string[]> {
    const names = await this.#attempt(() => readdir(this.#folder))
    return names.filter((name) => STORE_KEY.test(name) && name.startsWith(prefix))
  }

  async close(): Promise<void> {
    this.#lock?.close()
    this.#lock = undefined
  }

  #path(key: string): string {
    if (!this.#lock) {
      throw new MainframeError('STORE_FAILED', `The store in ${this.#folder} is not open`)
    }
    if (!STORE_KEY.test(key)) {
      throw new MainframeError('VALIDATION_FAILED', `"${key}" is no key of a store`)
    }
    return join(this.#folder, key)
  }

  /** Makes what was renamed or removed survive a power loss. */
  async #sync(): Promise<void> {
    const handle = await open(this.#folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  }

  async #removeTemporaries(): Promise<void> {
    const names = await readdir(this.#folder)
    const left = names.filter((name) => name.startsWith(TEMPORARY))
    await Promise.all(left.map((name) => unlink(join(this.#folder, name))))
  }

  async #attempt<T>(action: () => Promise<T>): Promise<T> {
    try {
      return await action()
    } catch (cause) {
      throw cause instanceof MainframeError ? cause : diskFailure(this.#folder, cause)
    }
  }
}

/**
 * The operating system's lock on an empty SQLite file: it ends with its process, however that ends,
 * so the lock of a dead process cannot stay behind.
 */
function takeLock(folder: string): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(join(folder, LOCK), { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (cause) {
    database?.close()
    const busy = cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY
    if (!busy) throw diskFailure(folder, cause)
    throw new MainframeError(
      'STORE_LOCKED',
      `Another client uses the folder ${folder}; close it, or give this one a folder of its own`,
      { details: { folder } },
    )
  }
}

function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

function diskFailure(folder: string, cause: unknown): MainframeError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MainframeError('STORE_FAILED', `The folder ${folder} cannot be used: ${reason}`, {
    cause,
    details: { folder },
  })
}
