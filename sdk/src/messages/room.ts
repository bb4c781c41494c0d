/** Room for bytes: whoever wants more than there is waits for it. */
export class Room {
  readonly #limit: number
  #taken = 0
  #waiting: (() => void)[] = []
  #isOpen = false

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Resolves when there is room; what is larger than all of it gets it alone. */
  async take(bytes: number): Promise<void> {
    while (this.#taken > 0 && this.#taken + bytes > this.#limit && !this.#isOpen) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    this.#taken += bytes
  }

  give(bytes: number): void {
    this.#taken -= bytes
    this.#wake()
  }

  /** Nobody waits any more, whatever is taken. */
  open(): void {
    this.#isOpen = true
    this.#wake()
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
