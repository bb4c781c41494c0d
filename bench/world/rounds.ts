/** Rounds in which what is compared takes turns, so that a busy machine spoils all of it alike. */

/** Work that tells how many milliseconds of it count. */
export type Operation = (round: number) => number | Promise<number>

export interface Turns<Name extends string> {
  /** How many rounds are summed up. */
  rounds: number
  /** Milliseconds of each operation over these rounds. */
  ms: Record<Name, number>
}

/** Share of the rounds that count: those that took the least in all, as nothing came between. */
const CALM_SHARE = 0.5

/**
 * Runs every operation once a round, in this order and the reverse by turns, and sums up the calmer
 * half of the rounds: chosen by all that a round took, it favours none of the operations.
 */
export async function takeTurns<Name extends string>(
  { rounds, warmUp }: { rounds: number; warmUp: number },
  operations: Record<Name, Operation>,
): Promise<Turns<Name>> {
  const names = Object.keys(operations) as Name[]
  const measured: Record<Name, number>[] = []
  for (let round = 0; round < warmUp + rounds; round++) {
    const ms = {} as Record<Name, number>
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      ms[name] = await operations[name](round)
    }
    if (round >= warmUp) measured.push(ms)
  }
  const total = (ms: Record<Name, number>) => names.reduce((sum, name) => sum + ms[name], 0)
  const calm = measured
    .sort((a, b) => total(a) - total(b))
    .slice(0, Math.max(1, Math.round(CALM_SHARE * rounds)))
  const sumOf = (name: Name) => calm.reduce((sum, ms) => sum + ms[name], 0)
  const ms = Object.fromEntries(names.map((name) => [name, sumOf(name)])) as Record<Name, number>
  return { rounds: calm.length, ms }
}

/** An operation all of which counts. */
export function timed(work: (round: number) => unknown): Operation {
  return async (round) => {
    const start = performance.now()
    await work(round)
    return performance.now() - start
  }
}
