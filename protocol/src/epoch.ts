/** Epochs: what everybody computes alike from one block, once a day (PROTOCOL.md §1.4). */

/** Length of an epoch of public networks, in seconds. */
export const DEFAULT_EPOCH_SECONDS = 86_400

/** A block as far as epochs go. */
export interface TimedBlock {
  number: number
  /** Unix seconds. */
  time: number
}

/** Number of the epoch that a time lies in. */
export function epochOf(timeSeconds: number, epochSeconds: number): number {
  return Math.floor(timeSeconds / epochSeconds)
}

/**
 * The first block, from block `from` on, of the epoch that `newest` lies in. Times never fall along a
 * chain, so that a few dozen headers tell.
 */
export async function findEpochBlock<B extends TimedBlock>(search: {
  from: number
  newest: B
  epochSeconds: number
  header: (number: number) => Promise<B>
}): Promise<B> {
  const { from, newest, epochSeconds, header } = search
  const epoch = epochOf(newest.time, epochSeconds)
  let found = newest
  let low = Math.min(from, newest.number)
  while (low < found.number) {
    const middle = (low + found.number - 1) >> 1
    const block = await header(middle)
    if (epochOf(block.time, epochSeconds) >= epoch) found = block
    else low = middle + 1
  }
  return found
}
