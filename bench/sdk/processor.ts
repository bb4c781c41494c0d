/** Processor time of this process, user and system, with its garbage collector. */
import { quantile } from '../world/statistics.ts'

/** Milliseconds of processor time that the work takes. */
export async function cpuMsOf(work: () => Promise<unknown>): Promise<number> {
  const before = process.cpuUsage()
  await work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}

export interface Rounds {
  /** Rounds that count. */
  count: number
  /** Rounds before them, which warm up. */
  warmUp: number
  /** Calls in each. */
  calls: number
}

/** The median, over the rounds, of the processor time of a call in milliseconds. */
export async function medianCpuMs(
  { count, warmUp, calls }: Rounds,
  round: () => Promise<unknown>,
): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < warmUp + count; i++) {
    const ms = await cpuMsOf(round)
    if (i >= warmUp) times.push(ms / calls)
  }
  return quantile(times, 0.5)
}
