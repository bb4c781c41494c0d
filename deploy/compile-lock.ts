import { mkdir } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { errorCode } from '@mainframe/protocol'
import { lockFolder } from '../node/src/storage/lock.ts'

/** Beside Hardhat's cache, which two compilers at once would spoil: they write it by way of one name. */
const LOCK_FOLDER = fileURLToPath(new URL('../cache/compiling', import.meta.url))
const POLL_MS = 100

/** Runs the compiler when no other process of this repository runs it. */
export async function compileAlone<T>(compile: () => Promise<T>): Promise<T> {
  await mkdir(LOCK_FOLDER, { recursive: true })
  for (;;) {
    const lock = await lockFolder(LOCK_FOLDER).catch((error: unknown) => {
      if (errorCode(error) === 'STORE_LOCKED') return undefined
      throw error
    })
    if (lock === undefined) await sleep(POLL_MS)
    else return await compile().finally(() => lock.release())
  }
}
