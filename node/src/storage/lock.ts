import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MainframeError } from '@mainframe/protocol'
import { diskFailure } from './durable-file.ts'

/** A data folder that is ours until {@link release}. */
export interface FolderLock {
  release(): void
}

/** SQLite's result code for a file that another connection holds. */
const SQLITE_BUSY = 5

/**
 * Takes a data folder for this process. The lock is the operating system's (SQLite's exclusive
 * lock on an empty file): it ends with its process, however that ends, so a lock of a dead process
 * cannot stay behind and a process id that was given out anew cannot keep a relay from starting.
 * Throws `STORE_LOCKED` when another process, or this one, holds it.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const pidPath = join(folder, 'pid')
  const database = openExclusively(join(folder, 'lock'), folder)
  if (!database) {
    const pid = await readFile(pidPath, 'utf8').catch(() => '')
    const holder = /^\d+\s*$/.test(pid) ? `process ${pid.trim()}` : 'another process'
    throw new MainframeError('STORE_LOCKED', `The data folder ${folder} is in use by ${holder}`, {
      details: { folder },
    })
  }
  // only for the sentence above, never trusted
  await writeFile(pidPath, `${process.pid}\n`, { mode: 0o600 })
  return { release: () => database.close() }
}

function openExclusively(path: string, folder: string): DatabaseSync | undefined {
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 0 })
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
    return database
  } catch (cause) {
    database?.close()
    if (cause instanceof Error && 'errcode' in cause && cause.errcode === SQLITE_BUSY) {
      return undefined
    }
    throw diskFailure(folder, cause)
  }
}
