/** What to offer for a transaction (EIP-1559), in base units of the chain's coin for a unit of gas. */
import type { Hex } from '@mainframe/protocol'
import { parseQuantity } from './answers.ts'
import type { Rpc } from './rpc.ts'

export interface Fees {
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
}

/** Tip where the node has no opinion. */
const DEFAULT_TIP = 1_000_000_000n
/** How much an offer that nobody takes is raised at least; nodes refuse a replacement below +10 %. */
const REPLACEMENT_PERCENT = 130n
/** Fees follow the market up to this: a node that lies about fees must not drain the account. */
const MAX_FEE_PER_GAS = 2_000n * 10n ** 9n

/** What the market asks now. Errors as `Rpc.request`. */
export async function marketFees(rpc: Rpc): Promise<Fees> {
  const [block, tip] = await Promise.all([
    rpc.request<{ baseFeePerGas?: Hex } | null>('eth_getBlockByNumber', ['latest', false]),
    rpc
      .request('eth_maxPriorityFeePerGas')
      .then((answer) => parseQuantity(answer, 'a tip'))
      .catch(() => DEFAULT_TIP),
  ])
  const baseFee = parseQuantity(block?.baseFeePerGas ?? '0x0', 'the base fee')
  // twice the base fee lasts for at least five full blocks of rises
  return capped({
    maxFeePerGas: 2n * baseFee + tip,
    maxPriorityFeePerGas: tip,
  })
}

/** What the market asks now, and at least enough to replace an earlier offer. */
export async function raisedFees(rpc: Rpc, before: Fees | undefined): Promise<Fees> {
  const market = await marketFees(rpc)
  if (!before) return market
  const raised = (fee: bigint) => (fee * REPLACEMENT_PERCENT) / 100n
  return capped({
    maxFeePerGas: greater(market.maxFeePerGas, raised(before.maxFeePerGas)),
    maxPriorityFeePerGas: greater(market.maxPriorityFeePerGas, raised(before.maxPriorityFeePerGas)),
  })
}

function capped({ maxFeePerGas, maxPriorityFeePerGas }: Fees): Fees {
  const most = lesser(maxFeePerGas, MAX_FEE_PER_GAS)
  return { maxFeePerGas: most, maxPriorityFeePerGas: lesser(maxPriorityFeePerGas, most) }
}

const lesser = (a: bigint, b: bigint) => (a < b ? a : b)
const greater = (a: bigint, b: bigint) => (a > b ? a : b)
