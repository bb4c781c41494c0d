/** What cannot be opened yet: the commit before it is missing. Durable, because it was acknowledged. */
import { digest } from '@mainframe/protocol'
import { MAX_PARKED, MAX_PARKED_BYTES } from './limits.ts'
import { nameOf } from './reader.ts'
import { SHELF_KEYS, type Shelf } from './shelf.ts'

interface Piece {
  bytes: Uint8Array
  /** Number of the epoch that it belongs to. */
  number: number
}

export class Parked {
  readonly #shelf: Shelf
  readonly #pieces = new Map<string, Piece>()
  #size = 0

  constructor(shelf: Shelf) {
    this.#shelf = shelf
  }

  /** Reads what waited when the conversation was closed; `numberOf` tells its epoch. */
  async load(numberOf: (bytes: Uint8Array) => number | undefined): Promise<void> {
    for (const key of await this.#shelf.list(SHELF_KEYS.parkeds)) {
      const bytes = await this.#shelf.get(key)
      const number = bytes && numberOf(bytes)
      if (number === undefined || !bytes) await this.#shelf.delete(key)
      else this.#keep(key.slice(SHELF_KEYS.parkeds.length), { bytes, number })
    }
  }

  get size(): number {
    return this.#pieces.size
  }

  /** Keeps a piece; the oldest make room. */
  async park(bytes: Uint8Array, number: number): Promise<void> {
    const name = nameOf(digest(bytes).subarray(0, 16))
    if (this.#pieces.has(name)) return
    await this.#shelf.set(SHELF_KEYS.parked(name), bytes)
    this.#keep(name, { bytes, number })
    while (this.#pieces.size > MAX_PARKED || this.#size > MAX_PARKED_BYTES) {
      const [oldest] = this.#pieces.keys()
      if (oldest === undefined) break
      await this.#remove(oldest)
    }
  }

  /** Hands out every piece whose epoch is in `numbers`; it is parked again when it does not open. */
  async take(numbers: ReadonlySet<number>, open: (bytes: Uint8Array) => Promise<void>) {
    for (const [name, { bytes, number }] of [...this.#pieces]) {
      if (!numbers.has(number)) continue
      this.#pieces.delete(name)
      this.#size -= bytes.length
      await open(bytes)
      if (!this.#pieces.has(name)) await this.#shelf.delete(SHELF_KEYS.parked(name))
    }
  }

  /** Forgets what belongs to epochs before a number. */
  async forget(before: number): Promise<void> {
    for (const [name, piece] of [...this.#pieces])
      if (piece.number < before) await this.#remove(name)
  }

  #keep(name: string, piece: Piece): void {
    this.#pieces.set(name, piece)
    this.#size += piece.bytes.length
  }

  async #remove(name: string): Promise<void> {
    this.#size -= this.#pieces.get(name)?.bytes.length ?? 0
    this.#pieces.delete(name)
    await this.#shelf.delete(SHELF_KEYS.parked(name))
  }
}
