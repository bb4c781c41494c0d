/** Items that become due later: a binary heap and one timer. Lives in memory only (PROTOCOL.md §2). */

interface Entry<Item> {
  dueMs: number
  item: Item
}

export interface DelayQueueOptions<Item> {
  /** Items that wait at most. */
  capacity: number
  /**
   * Called once for each item, not before it is due; many that are due at once are spread over
   * turns of the event loop. Must not throw.
   */
  onDue(item: Item): void
  now?: () => number
}

/** Items handed out in one turn of the event loop: some milliseconds of routing and sealing. */
export const ITEMS_PER_TURN = 256
/** setTimeout takes a signed 32-bit number of milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class DelayQueue<Item> {
  readonly #options: Required<DelayQueueOptions<Item>>
  readonly #heap: Entry<Item>[] = []
  #timer: NodeJS.Timeout | undefined
  #immediate: NodeJS.Immediate | undefined
  #timerDueMs = Number.POSITIVE_INFINITY

  constructor(options: DelayQueueOptions<Item>) {
    this.#options = { now: Date.now, ...options }
  }

  get size(): number {
    return this.#heap.length
  }

  /** False when the queue is full. */
  push(dueMs: number, item: Item): boolean {
    if (this.#heap.length >= this.#options.capacity) return false
    this.#heap.push({ dueMs, item })
    this.#up(this.#heap.length - 1)
    this.#arm()
    return true
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap.length = 0
    this.#disarm()
    this.#timerDueMs = Number.POSITIVE_INFINITY
  }

  #disarm(): void {
    clearTimeout(this.#timer)
    clearImmediate(this.#immediate)
  }

  #arm(): void {
    const dueMs = this.#heap[0]?.dueMs
    if (dueMs === undefined || dueMs >= this.#timerDueMs) return
    this.#disarm()
    this.#timerDueMs = dueMs
    const waitMs = Math.min(dueMs - this.#options.now(), LONGEST_TIMER_MS)
    // a timer of no time takes a millisecond; what is due already waits for the next turn only
    if (waitMs > 0) this.#timer = setTimeout(() => this.#run(), waitMs)
    else this.#immediate = setImmediate(() => this.#run())
  }

  #run(): void {
    this.#timerDueMs = Number.POSITIVE_INFINITY
    const now = this.#options.now()
    for (let left = ITEMS_PER_TURN; left > 0; left--) {
      const first = this.#heap[0]
      if (!first || first.dueMs > now) break
      this.#pop()
      this.#options.onDue(first.item)
    }
    this.#arm() // for the next turn if more are due
  }

  #pop(): void {
    const last = this.#heap.pop()
    if (!last || this.#heap.length === 0) return
    this.#heap[0] = last
    this.#down(0)
  }

  #up(index: number): void {
    for (let i = index; i > 0; ) {
      const parent = (i - 1) >> 1
      if (!this.#swapIfSooner(i, parent)) return
      i = parent
    }
  }

  #down(index: number): void {
    for (let i = index; ; ) {
      const left = 2 * i + 1
      const right = left + 1
      const sooner = this.#due(right) < this.#due(left) ? right : left
      if (!this.#swapIfSooner(sooner, i)) return
      i = sooner
    }
  }

  #due(index: number): number {
    return this.#heap[index]?.dueMs ?? Number.POSITIVE_INFINITY
  }

  #swapIfSooner(child: number, parent: number): boolean {
    const [a, b] = [this.#heap[child], this.#heap[parent]]
    if (!a || !b || a.dueMs >= b.dueMs) return false
    this.#heap[child] = b
    this.#heap[parent] = a
    return true
  }
}
