import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MainframeError } from '@mainframe/protocol'

/**
 * Takes a data folder for this process; throws `STORE_LOCKED` when another one has it. The lock is
 * SQLite's lock on a small file of its own, so the operating system frees it even after `kill -9`,
 * and no left-over pid has to be judged. Returns the function that frees it.
 */
export function lockFolder(folder: string): () => void {
  mkdirSync(folder, { recursive: true })
  const lock = new DatabaseSync(join(folder, 'lock'))
  try {
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    lock.close()
    throw new MainframeError('STORE_LOCKED', `The folder ${folder} is used by another process`, {
      cause,
    })
  }
  return () => lock.close()
}
