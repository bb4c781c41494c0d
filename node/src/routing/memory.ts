/** What a relay must not forget across a restart (PROTOCOL.md §2, "After a crash"). */
import { mkdir, readFile, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import {
  errorCode,
  FORWARD_HORIZON_MINUTES,
  minutesNow,
  PACKET_ID_BYTES,
  readU64,
  toHex,
  viewOf,
  writeU64,
} from '@mainframe/protocol'
import { AppendLog } from '../storage/append-log.ts'
import { isErrno, replaceDurably, syncFolder } from '../storage/durable-file.ts'
import { MAX_RECORD_BYTES } from '../storage/log-form.ts'
import type { RoutingMemory } from './router.ts'
import { SeenMemory } from './seen.ts'

const ENC_BYTES = 32
/** First byte of a record in the saved file. */
const KINDS = { seen: 0, acted: 1, end: 2 } as const

export interface MemoryOptions {
  folder: string
  /** Public half of the seal key in use. */
  sealKey: Uint8Array
  /** Packets that are remembered at most. */
  capacity: number
  nowMs?: number
}

/**
 * The memory that a clean stop saved, or an empty one. After an unclean stop under a seal key that
 * was used before, FORWARDs that may have been executed already are not executed for a while.
 */
export async function openMemory(options: MemoryOptions): Promise<RoutingMemory> {
  const { folder, sealKey, nowMs = Date.now() } = options
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const saved = await takeSaved(options)
  const wasUsed = await noteUse(folder, sealKey)
  if (saved) return saved
  const forgottenUntilMinutes = wasUsed ? minutesNow(nowMs) + FORWARD_HORIZON_MINUTES : 0
  return { ...emptyMemory(options.capacity), forgottenUntilMinutes }
}

/** Saves a memory at a clean stop, for the next {@link openMemory}. */
export async function saveMemory(folder: string, memory: RoutingMemory): Promise<void> {
  const log = await AppendLog.open(join(folder, 'memory.log'), () => {})
  for (const piece of memory.seen.save(MAX_RECORD_BYTES - 1)) log.append(record('seen', piece))
  for (const piece of memory.acted.save(MAX_RECORD_BYTES - 1)) log.append(record('acted', piece))
  const end = new Uint8Array(8)
  writeU64(viewOf(end), 0, memory.forgottenUntilMinutes)
  log.append(record('end', end))
  await log.close()
}

function emptyMemory(capacity: number): RoutingMemory {
  return {
    seen: new SeenMemory({ capacity, keyBytes: PACKET_ID_BYTES }),
    acted: new SeenMemory({ capacity, keyBytes: ENC_BYTES }),
    forgottenUntilMinutes: 0,
  }
}

/** Reads the saved memory and removes it at once: a crash from now on is an unclean stop. */
async function takeSaved({ folder, capacity }: MemoryOptions): Promise<RoutingMemory | undefined> {
  const path = join(folder, 'memory.log')
  const memory = emptyMemory(capacity)
  let complete = false
  const onRecord = (bytes: Uint8Array) => {
    const content = bytes.subarray(1)
    if (bytes[0] === KINDS.seen) memory.seen.restore(content)
    else if (bytes[0] === KINDS.acted) memory.acted.restore(content)
    else {
      memory.forgottenUntilMinutes = readU64(viewOf(content), 0) ?? 0
      complete = true
    }
  }
  try {
    const log = await AppendLog.open(path, onRecord)
    await log.close()
    await unlink(path)
    await syncFolder(folder)
  } catch (error) {
    // A damaged memory is as good as none, and none is what an unclean stop leaves.
    if (errorCode(error) !== 'STORE_CORRUPT') throw error
    await unlink(path)
    return undefined
  }
  return complete ? memory : undefined
}

/** Records that a seal key is in use; whether it was before. */
async function noteUse(folder: string, sealKey: Uint8Array): Promise<boolean> {
  const path = join(folder, 'seal-keys')
  const used = await readFile(path, 'utf8').catch((cause: unknown) => {
    if (isErrno(cause, 'ENOENT')) return ''
    throw cause
  })
  const line = `${toHex(sealKey)}\n`
  if (used.includes(line)) return true
  await replaceDurably(path, Buffer.from(used + line))
  return false
}

function record(kind: keyof typeof KINDS, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(1 + content.length)
  out[0] = KINDS[kind]
  out.set(content, 1)
  return out
}
