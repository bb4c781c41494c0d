/** Counters that the routing rule adds to: all that the ledger costs a packet. */
import type { Hex } from '@mainframe/protocol'
import type { Charges } from '../routing/rule.ts'
import { CHARGED_SERVICES } from './chart.ts'
import { type ChargedBase, NOTHING_CHARGED } from './settle.ts'

interface Counter {
  charges: Charges
  /** What of it was taken to the ledger. */
  taken: Charges
}

const none = (): Charges => ({ route: 0, hold: 0, onward: 0, surplus: 0 })

/** Counters in units, by channel and epoch; in memory only. */
export class ChargeMeter {
  readonly #counters = new Map<Hex, Map<number, Counter>>()

  /** The counters of an epoch of a channel, to be added to. */
  chargesOf(channelId: Hex, epoch: number): Charges {
    const epochs = this.#counters.get(channelId) ?? new Map<number, Counter>()
    this.#counters.set(channelId, epochs)
    const counter = epochs.get(epoch) ?? { charges: none(), taken: none() }
    epochs.set(epoch, counter)
    return counter.charges
  }

  /**
   * What was charged since the last time in an epoch and in those before it, which are forgotten.
   */
  take(
    channelId: Hex,
    epoch: number,
    baseUnitsPerUnit: bigint,
  ): { charged: ChargedBase; chargedEarlier: ChargedBase } {
    const sums = { charged: NOTHING_CHARGED, chargedEarlier: NOTHING_CHARGED }
    const epochs = this.#counters.get(channelId)
    for (const [of, counter] of epochs ?? []) {
      if (of > epoch) continue // opened since; its turn comes
      const name = of === epoch ? 'charged' : 'chargedEarlier'
      sums[name] = plus(sums[name], counter, baseUnitsPerUnit)
      counter.taken = { ...counter.charges }
      if (of < epoch) epochs?.delete(of)
    }
    return sums
  }
}

function plus(sum: ChargedBase, { charges, taken }: Counter, rate: bigint): ChargedBase {
  const added = CHARGED_SERVICES.map((service) => [
    service,
    sum[service] + BigInt(charges[service] - taken[service]) * rate,
  ])
  return Object.fromEntries(added) as ChargedBase
}
