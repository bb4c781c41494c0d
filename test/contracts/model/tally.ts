import type { Kind, Outcome } from './state.ts'

interface Count {
  done: number
  refused: number
}

/** Counts what happened in all sequences together. */
export class Tally {
  readonly #kinds = new Map<Kind, Count>()
  readonly #errors = new Map<string, number>()
  readonly #skipped = new Map<number, number>()

  count(kind: Kind, outcome: Outcome): void {
    const { done, refused } = this.of(kind)
    if (outcome.refused) {
      this.#kinds.set(kind, { done, refused: refused + 1 })
      increase(this.#errors, outcome.error?.name ?? 'no data')
      return
    }
    this.#kinds.set(kind, { done: done + 1, refused })
    for (const { name, args } of outcome.events) {
      if (name === 'Skipped') increase(this.#skipped, Number(args[2]))
    }
  }

  of(kind: Kind): Count {
    return this.#kinds.get(kind) ?? { done: 0, refused: 0 }
  }

  /** Names of the errors that were met. */
  errors(): string[] {
    return [...this.#errors.keys()]
  }

  /** Reasons of the rows that were skipped. */
  skipped(): number[] {
    return [...this.#skipped.keys()]
  }

  /** A table for people. */
  report(run: { sequences: number; seconds: number; seed: number }): string {
    const counts = [...this.#kinds.values()]
    const steps = counts.reduce((sum, { done, refused }) => sum + done + refused, 0)
    const head = `${run.sequences} sequences, ${steps} steps in ${run.seconds.toFixed(1)} s, seed ${run.seed}`
    const rows = [...this.#kinds].map(([kind, { done, refused }]) => {
      return `${kind.padEnd(20)}${String(done).padStart(7)} done ${String(refused).padStart(7)} refused`
    })
    const skipped = [...this.#skipped].map(([reason, times]) => `reason ${reason}: ${times}`)
    const errors = [...this.#errors].map(([name, times]) => `${name} ${times}`)
    const lines = [head, ...rows.sort(), `rows skipped: ${skipped.join(', ')}`, errors.join(', ')]
    return `${lines.map((line) => `      ${line}`).join('\n')}\n`
  }
}

function increase<T>(counts: Map<T, number>, key: T): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
