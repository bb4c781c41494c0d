/** Stops what was started, in reverse order, once. */
export class Shutdown {
  readonly #steps: (() => Promise<void>)[] = []
  #done: Promise<void> | undefined

  add(stop: () => Promise<void>): void {
    this.#steps.push(stop)
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
