/** The latest entry of each key, kept in an append-only log that is rewritten when it grows stale. */
import { unlink } from 'node:fs/promises'
import { MainframeError } from '@mainframe/protocol'
import { AppendLog } from './append-log.ts'
import { diskFailure, isErrno, renameDurably } from './durable-file.ts'

/** How entries are written and told apart. */
export interface LatestLogForm<T> {
  /** The longest entry, as for `AppendLog.open`. */
  maxRecordBytes?: number
  encode(entry: T): Uint8Array
  /** `undefined` for bytes that are no entry. */
  decode(record: Uint8Array): T | undefined
  keyOf(entry: T): string
  /** Whether `next` takes the place of `previous`, of the same key. */
  supersedes(next: T, previous: T): boolean
}

/** Below this size a log is not worth rewriting, in bytes. */
const MIN_COMPACT_BYTES = 1 << 20
/** Records per live entry from which a log is rewritten. */
const STALE_RATIO = 4

export class LatestLog<T> {
  /** What is durable, by key. */
  readonly entries: ReadonlyMap<string, T>
  readonly #entries: Map<string, T>
  /** The same, and what was appended and is not durable yet. */
  readonly #appended: Map<string, T>
  /** Bytes of an unfinished batch that were cut when the log was opened. */
  readonly cutBytes: number
  readonly #path: string
  readonly #form: LatestLogForm<T>
  #log: AppendLog
  #records: number
  /** While the log is rewritten nothing is appended; for good when that failed. */
  #rewriting: Promise<void> | undefined

  private constructor(path: string, form: LatestLogForm<T>, { log, entries, records }: Read<T>) {
    this.#path = path
    this.#form = form
    this.#log = log
    this.#entries = entries
    this.#appended = new Map(entries)
    this.#records = records
    this.entries = entries
    this.cutBytes = log.cutBytes
  }

  /** Opens or creates a log. Errors as `AppendLog.open`. */
  static async open<T>(path: string, form: LatestLogForm<T>): Promise<LatestLog<T>> {
    // left by a crash before it took the place of the log, which therefore is whole
    await removeIfThere(rewrittenPath(path))
    const opened = new LatestLog(path, form, await read(path, form))
    if (opened.#isStale) await opened.#rewrite()
    return opened
  }

  /** Resolves when the entry is durable; concurrent entries share one fsync. Errors as `flush`. */
  async put(entry: T): Promise<void> {
    while (this.#rewriting) await this.#rewriting
    this.#log.append(this.#form.encode(entry))
    this.#records += 1
    keepLatest(this.#appended, this.#form, entry)
    await this.#log.flush()
    keepLatest(this.#entries, this.#form, entry)
    if (this.#isStale) this.#beginRewrite()
  }

  async close(): Promise<void> {
    await this.#rewriting?.catch(() => {}) // whoever puts is told
    await this.#log.close()
  }

  get #isStale(): boolean {
    return this.#log.size >= MIN_COMPACT_BYTES && this.#records > STALE_RATIO * this.#appended.size
  }

  /** What peers make us store must not fill the disk: each of their vouchers is a record. */
  #beginRewrite(): void {
    if (this.#rewriting) return
    this.#rewriting = this.#rewrite().then(() => {
      this.#rewriting = undefined
    })
    this.#rewriting.catch(() => {}) // the next put is told
  }

  /**
   * Entries that are not durable yet come along: the old log is given up once it is flushed. One entry
   * is written twice, the second time in a batch of its own: what is damaged in the last batch counts
   * as torn by a crash, and the snapshot, which never is, must not be the last.
   */
  async #rewrite(): Promise<void> {
    const rewritten = await AppendLog.open(rewrittenPath(this.#path), () => {}, this.#form)
    const records = [...this.#appended.values()].map((entry) => this.#form.encode(entry))
    for (const record of records) rewritten.append(record)
    await rewritten.flush()
    for (const record of records.slice(0, 1)) rewritten.append(record)
    await rewritten.close()
    await this.#log.close()
    await renameDurably(rewrittenPath(this.#path), this.#path)
    this.#log = await AppendLog.open(this.#path, () => {}, this.#form)
    this.#records = records.length
  }
}

function rewrittenPath(path: string): string {
  return `${path}.compact`
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
  const onRecord = (record: Uint8Array, offset: number) => {
    records += 1
    const entry = form.decode(record)
    if (entry) keepLatest(entries, form, entry)
    else unreadableAt ??= offset
  }
  const log = await AppendLog.open(path, onRecord, form)
  if (unreadableAt === undefined) return { log, entries, records }
  await log.close()
  const message =
    `${path} holds something else at byte ${unreadableAt}: it is another log's file; put back ` +
    'the one that belongs there'
  throw new MainframeError('STORE_CORRUPT', message, { details: { path, offset: unreadableAt } })
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
