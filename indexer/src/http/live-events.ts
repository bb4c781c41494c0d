/** One reader of the outbox for all who listen to GET /v1/events. */
import type { ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ApiEvent } from '@mainframe/protocol'
import type { Database } from '../db/database.ts'
import { type OutboxRow, readOutbox, readOutboxBounds } from '../repositories/outbox.ts'

/** A look costs a millisecond, and happens only while somebody listens. */
const LOOK_EVERY_MS = 50
/** After a database that did not answer. */
const LOOK_AGAIN_MS = 1_000
/** Rows of one look, and of one page of what a listener has missed. */
const PAGE_ROWS = 500
/** A listener who does not read is cut off, and may resume where it was. */
const MAX_UNREAD_BYTES = 1024 * 1024
/** Proxies close what is silent for a minute. */
const BEAT_EVERY_MS = 15_000

interface Listener {
  response: ServerResponse
  /** Id of the last row that was written to it. */
  at: number
  /** While what it has missed is read, news wait. */
  isBehind: boolean
}

/** What the metrics tell. */
export interface LiveCounts {
  listeners: number
  /** Listeners that were cut off because they did not read. */
  cutOff: number
}

export class LiveEvents {
  readonly #db: Database
  readonly #mostListeners: number
  readonly #listeners = new Set<Listener>()
  readonly #stopped = new AbortController()
  #watching: Promise<void> | undefined
  #cutOff = 0

  constructor(db: Database, mostListeners: number) {
    this.#db = db
    this.#mostListeners = mostListeners
  }

  get counts(): LiveCounts {
    return { listeners: this.#listeners.size, cutOff: this.#cutOff }
  }

  /** Whether another one may listen. */
  get hasRoom(): boolean {
    return !this.#stopped.signal.aborted && this.#listeners.size < this.#mostListeners
  }

  /**
   * Writes events to `response`, whose headers are out, from after the row `lastId` on, or only what
   * is new when it is undefined, until either side ends it. A place that is gone, or never was, is
   * answered by `reset`: whoever listens asks for the state anew.
   */
  async listen(response: ServerResponse, lastId: number | undefined): Promise<void> {
    if (response.destroyed) return
    const listener: Listener = { response, at: 0, isBehind: true }
    // counted before anything is awaited: many may come at once, and leave at once
    this.#listeners.add(listener)
    response.once('close', () => this.#listeners.delete(listener))
    const { oldest, newest } = await readOutboxBounds(this.#db)
    if (!this.#listeners.has(listener)) return
    const isKnown = lastId !== undefined && lastId >= oldest - 1 && lastId <= newest
    listener.at = isKnown ? lastId : newest
    const name = lastId === undefined || isKnown ? 'hello' : 'reset'
    response.write(`retry: 1000\nid: ${listener.at}\nevent: ${name}\ndata: {}\n\n`)
    this.#watching ??= this.#watch().finally(() => {
      this.#watching = undefined
    })
    await this.#catchUp(listener)
  }

  /** Ends every answer. */
  async stop(): Promise<void> {
    this.#stopped.abort()
    for (const { response } of this.#listeners) response.end()
    this.#listeners.clear()
    await this.#watching
  }

  /** At the listener's own speed, until it has what everybody has. */
  async #catchUp(listener: Listener): Promise<void> {
    const { response } = listener
    while (this.#listeners.has(listener)) {
      const rows = await readOutbox(this.#db, listener.at, PAGE_ROWS)
      if (!this.#send(listener, rows)) await drained(response)
      if (rows.length < PAGE_ROWS) break
    }
    listener.isBehind = false
  }

  async #watch(): Promise<void> {
    const { signal } = this.#stopped
    let beatAt = Date.now() + BEAT_EVERY_MS
    while (this.#listeners.size > 0 && !signal.aborted) {
      let waitMs = LOOK_EVERY_MS
      try {
        await this.#look()
      } catch {
        waitMs = LOOK_AGAIN_MS // the follower says so too, in its log and by /readyz
      }
      if (Date.now() >= beatAt) {
        beatAt += BEAT_EVERY_MS
        for (const { response } of this.#listeners) response.write(': still here\n\n')
      }
      await sleep(waitMs, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Tells everybody what is new to them; those who stand at the same place share the text. */
  async #look(): Promise<void> {
    const ready = [...this.#listeners].filter(({ isBehind }) => !isBehind)
    if (ready.length === 0) return
    const from = ready.reduce((least, { at }) => Math.min(least, at), Number.MAX_SAFE_INTEGER)
    const rows = await readOutbox(this.#db, from, PAGE_ROWS)
    if (rows.length === 0) return
    const texts = new Map<number, string>()
    for (const listener of ready) {
      const news = rows.filter(({ id }) => id > listener.at)
      const text = texts.get(listener.at) ?? news.map(eventText).join('')
      texts.set(listener.at, text)
      this.#write(listener, text, news.at(-1)?.id)
    }
  }

  #send(listener: Listener, rows: readonly OutboxRow[]): boolean {
    return this.#write(listener, rows.map(eventText).join(''), rows.at(-1)?.id)
  }

  #write(listener: Listener, text: string, lastId: number | undefined): boolean {
    const { response } = listener
    if (lastId === undefined) return true
    listener.at = lastId
    const goesOn = response.write(text)
    if (response.writableLength > MAX_UNREAD_BYTES) {
      this.#cutOff += 1
      this.#listeners.delete(listener)
      response.destroy()
    }
    return goesOn
  }
}

function eventText({ id, kind, ...rest }: OutboxRow): string {
  const data: ApiEvent = rest
  return `id: ${id}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (!response.writableNeedDrain || response.destroyed) return resolve()
    response.once('drain', resolve).once('close', resolve)
  })
}
