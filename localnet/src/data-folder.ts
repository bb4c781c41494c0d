import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type FolderLock, lockFolder } from '@mainframe/node'
import { MainframeError } from '@mainframe/protocol'

/** Says that a folder is ours to empty. */
const MARKER = 'mainframe-localnet'

/**
 * Takes the folder and removes what an earlier run left there; its chain is gone as well. Throws
 * `CONFIG_INVALID` for a folder with files that are not ours, `STORE_LOCKED` when a run uses it.
 */
export async function prepareFolder(folder: string): Promise<FolderLock> {
  const present: string[] = await readdir(folder).catch(() => [])
  if (present.length > 0 && !present.includes(MARKER)) {
    throw new MainframeError(
      'CONFIG_INVALID',
      `${folder} holds files of something else, which a run would delete; choose another --data`,
    )
  }
  const lockedFolder = join(folder, MARKER)
  await mkdir(lockedFolder, { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
    throw new MainframeError('CONFIG_INVALID', `${folder} cannot be written to`, { cause })
  })
  const lock = await lockFolder(lockedFolder)
  const leftovers = present.filter((name) => name !== MARKER)
  await Promise.all(leftovers.map((name) => rm(join(folder, name), { recursive: true })))
  return lock
}
