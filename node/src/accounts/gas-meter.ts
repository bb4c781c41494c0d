/** What transactions cost, until the chain has confirmed them and the ledger takes it. */
import type { GasCost } from '../chain/transactions.ts'

export class GasMeter {
  #costs: GasCost[] = []

  note(cost: GasCost): void {
    this.#costs.push(cost)
  }

  /** Base units of coin that transactions up to this block cost since the last time. */
  take(block: number): bigint {
    const isDue = ({ blockNumber }: GasCost) => blockNumber <= block
    const due = this.#costs.filter(isDue)
    this.#costs = this.#costs.filter((cost) => !isDue(cost))
    return due.reduce((sum, { costBase }) => sum + costBase, 0n)
  }
}
