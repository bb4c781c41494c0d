import { randomUUID } from 'node:crypto'
import { access, link, open, rename, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MainframeError } from '@mainframe/protocol'

/** Makes what was created or renamed in a folder survive a power loss. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Creates a file with its whole content or not at all, durably. Returns false when the path exists
 * already; that file is left as it is. Only the owner may read it: these folders hold keys and money.
 */
export async function createDurably(path: string, content: Uint8Array): Promise<boolean> {
  if (await exists(path)) return false
  const temporary = `${path}.${randomUUID()}`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
  try {
    // link, unlike rename, never replaces what another process created meanwhile
    await link(temporary, path)
  } catch (cause) {
    if (isErrno(cause, 'EEXIST')) return false
    throw diskFailure(path, cause)
  } finally {
    await unlink(temporary)
  }
  await syncFolder(dirname(path))
  return true
}

/** Replaces a file as a whole, durably: after a crash it holds the old content or the new. */
export async function replaceDurably(path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomUUID()}`
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(content)
      await handle.sync()
    } finally {
      await handle.close()
    }
  } catch (cause) {
    throw diskFailure(path, cause)
  }
  await renameDurably(temporary, path)
}

/** Puts a file, which must be durable itself, in the place of another. */
export async function renameDurably(from: string, to: string): Promise<void> {
  try {
    await rename(from, to)
    await syncFolder(dirname(to))
  } catch (cause) {
    throw diskFailure(to, cause)
  }
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  )
}

export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}

/** The error of a disk that does not do what it is asked: full, read-only, gone. */
export function diskFailure(path: string, cause: unknown): MainframeError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new MainframeError('STORE_FAILED', `${path} cannot be read or written: ${reason}`, {
    cause,
    details: { path },
  })
}
