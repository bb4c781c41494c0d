/** The latest entry of each key, kept in an append-only log that is rewritten when it grows stale. */
import { unlink } from 'node:fs/promises'
import { MainframeError } from '@mainframe/protocol'
import { AppendLog } from './append-log.ts'
import { diskFailure, isErrno, renameDurably } from './durable-file.ts'

/** How entries are written and told apart. */
export interface LatestLogForm<T> {
  encode(entry: T): Uint8Array
  /** `undefined` for bytes that are no entry. */
  decode(record: Uint8Array): T | undefined
  keyOf(entry: T): string
  /** Whether `next` takes the place of `previous`, of the same key. */
  supersedes(next: T, previous: T): boolean
}

/** Below this size a log is not worth rewriting, in bytes. */
const MIN_COMPACT_BYTES = 1 << 20
/** Records per live entry from which a log is rewritten when it is opened. */
const STALE_RATIO = 4

export class LatestLog<T> {
  /** What is durable, by key. */
  readonly entries: ReadonlyMap<string, T>
  readonly #entries: Map<string, T>
  readonly #log: AppendLog
  readonly #form: LatestLogForm<T>

  private constructor(log: AppendLog, form: LatestLogForm<T>, entries: Map<string, T>) {
    this.#log = log
    this.#form = form
    this.#entries = entries
    this.entries = entries
  }

  /** Opens or creates a log. Errors as `AppendLog.open`. */
  static async open<T>(path: string, form: LatestLogForm<T>): Promise<LatestLog<T>> {
    const rewritten = `${path}.compact`
    // left by a crash before it took the place of the log, which therefore is whole
    await removeIfThere(rewritten)
    const first = await read(path, form)
    if (!isStale(first)) return new LatestLog(first.log, form, first.entries)
    const compact = await AppendLog.open(rewritten, () => {})
    for (const entry of first.entries.values()) compact.append(form.encode(entry))
    await compact.close()
    await first.log.close()
    await renameDurably(rewritten, path)
    const { log, entries } = await read(path, form)
    return new LatestLog(log, form, entries)
  }

  /** Resolves when the entry is durable; concurrent entries share one fsync. Errors as `flush`. */
  async put(entry: T): Promise<void> {
    this.#log.append(this.#form.encode(entry))
    await this.#log.flush()
    keepLatest(this.#entries, this.#form, entry)
  }

  async close(): Promise<void> {
    await this.#log.close()
  }
}

interface Read<T> {
  log: AppendLog
  entries: Map<string, T>
  records: number
}

async function read<T>(path: string, form: LatestLogForm<T>): Promise<Read<T>> {
  const entries = new Map<string, T>()
  let records = 0
  let unreadableAt: number | undefined
  const log = await AppendLog.open(path, (record, offset) => {
    records += 1
    const entry = form.decode(record)
    if (entry) keepLatest(entries, form, entry)
    else unreadableAt ??= offset
  })
  if (unreadableAt === undefined) return { log, entries, records }
  await log.close()
  const message = `${path} holds something else at byte ${unreadableAt}: it is another log's file`
  throw new MainframeError('STORE_CORRUPT', message, { details: { path, offset: unreadableAt } })
}

function isStale<T>({ log, entries, records }: Read<T>): boolean {
  return log.size >= MIN_COMPACT_BYTES && records > STALE_RATIO * entries.size
}

function keepLatest<T>(entries: Map<string, T>, form: LatestLogForm<T>, entry: T): void {
  const key = form.keyOf(entry)
  const previous = entries.get(key)
  if (previous === undefined || form.supersedes(entry, previous)) entries.set(key, entry)
}

async function removeIfThere(path: string): Promise<void> {
  await unlink(path).catch((cause: unknown) => {
    if (!isErrno(cause, 'ENOENT')) throw diskFailure(path, cause)
  })
}
