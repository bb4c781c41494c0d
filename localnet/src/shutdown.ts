/** Stops what was started, in reverse order, once. */
export class Shutdown {
  readonly #steps: (() => Promise<void>)[] = []
  #done: Promise<void> | undefined

  /** Whether the stop has begun: what fails from then on fails because of it. */
  get hasBegun(): boolean {
    return this.#done !== undefined
  }

  /** What something that was still starting adds after the stop began is stopped at once. */
  add(stop: () => Promise<void>): void {
    if (!this.#done) {
      this.#steps.push(stop)
      return
    }
    const stopped = stop().catch(() => {})
    this.#done = this.#done.then(() => stopped)
  }

  /** Resolves when everything has stopped; a step that fails does not keep the others from running. */
  stop(): Promise<void> {
    this.#done ??= this.#run()
    return this.#done
  }

  async #run(): Promise<void> {
    for (const step of this.#steps.reverse()) await step().catch(() => {})
  }
}
