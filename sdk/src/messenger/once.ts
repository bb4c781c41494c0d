/** Opens at the first call, the same for all who ask meanwhile; again at the next call when it failed. */
export class Once<T> {
  #opening: Promise<T> | undefined

  get(open: () => Promise<T>): Promise<T> {
    if (this.#opening) return this.#opening
    const opening = open()
    this.#opening = opening
    opening.catch(() => {
      this.#opening = undefined
    })
    return opening
  }

  /** What is open or being opened; `undefined` when nothing is, or could not be opened. */
  async current(): Promise<T | undefined> {
    return await this.#opening?.catch(() => undefined)
  }
}
