/**
 * The rank of offers, the same for an indexer that answers `POST /v1/discover` and for a client that
 * recomputes or improves on it: a weighted product of factors, and an order drawn by those weights
 * with the client's own seed. So a position cannot be bought, and load spreads over good relays.
 */
import { primitives } from '#primitives'
import { bytesToBigint, concatBytes, fromHex, type Hex } from '../bytes.ts'

/** What a rank is computed from: facts of the chain and, if there are any, own measurements. */
export interface RankCandidate {
  nodeId: Hex
  operator: Hex
  /** Price in force of each needed service, base units, in the order of `RankReference.medians`. */
  prices: readonly bigint[]
  /** MFT base units. */
  stake: bigint
  updatedBlock: number
  /** Attempts that the one who ranks has seen succeed and fail. */
  observed?: { succeeded: number; failed: number }
}

/** What candidates are compared with. */
export interface RankReference {
  /** Median price of each needed service, base units. */
  medians: readonly bigint[]
  /** Median stake, MFT base units. */
  stake: bigint
  blockNumber: number
}

/** The factors of a weight; 1 is neutral for price and stake, the others end at 1. */
export interface RankFactors {
  /** Geometric mean of median / price over the needed services, 1/4 to 4. */
  price: number
  /** Square root of stake / median stake, 1/2 to 2. */
  stake: number
  /** Halves with every {@link FRESHNESS_BLOCKS} since the node last changed its record, down to 1/4. */
  freshness: number
  /** Mean of the Beta distribution of success, given what was observed. */
  quality: number
}

/** A candidate with its place: the lower `score`, the better. */
export interface Ranked<Candidate> {
  candidate: Candidate
  factors: RankFactors
  weight: number
  score: number
}

/** About a day of 12 s blocks; a relay rotates its seal key daily. */
export const FRESHNESS_BLOCKS = 7200
/** A stranger counts as 9 successes in 10, so that one bad try does not bury it. */
const PRIOR = { succeeded: 9, failed: 1 }
/** Results that one operator may have, so that many registrations do not buy the list. */
export const MAX_PER_OPERATOR = 2

/** The factors of one candidate. */
export function rankFactors(candidate: RankCandidate, reference: RankReference): RankFactors {
  const logs = reference.medians.map((median, i) => Math.log(ratio(median, candidate.prices[i])))
  const mean = logs.reduce((sum, log) => sum + log, 0) / Math.max(1, logs.length)
  const age = Math.max(0, reference.blockNumber - candidate.updatedBlock)
  const { succeeded, failed } = candidate.observed ?? { succeeded: 0, failed: 0 }
  const good = PRIOR.succeeded + succeeded
  return {
    price: clamp(Math.exp(mean), 1 / 4, 4),
    stake: clamp(Math.sqrt(ratio(candidate.stake, reference.stake)), 1 / 2, 2),
    freshness: Math.max(1 / 4, 2 ** (-age / FRESHNESS_BLOCKS)),
    quality: good / (good + PRIOR.failed + failed),
  }
}

/**
 * The best `k` candidates in the order that `seed` draws: each gets -ln(u) / weight, u from
 * keccak256(seed ‖ nodeId), so it comes first with a probability proportional to its weight.
 */
export function rankOffers<Candidate extends RankCandidate>(
  candidates: readonly Candidate[],
  options: { reference: RankReference; seed: Uint8Array; k: number },
): Ranked<Candidate>[] {
  const ranked = candidates.map((candidate) => {
    const factors = rankFactors(candidate, options.reference)
    const weight = factors.price * factors.stake * factors.freshness * factors.quality
    const score = -Math.log(drawOf(options.seed, candidate.nodeId)) / weight
    return { candidate, factors, weight, score }
  })
  ranked.sort((a, b) => a.score - b.score)
  const perOperator = new Map<string, number>()
  const kept = ranked.filter(({ candidate }) => {
    const count = (perOperator.get(candidate.operator) ?? 0) + 1
    perOperator.set(candidate.operator, count)
    return count <= MAX_PER_OPERATOR
  })
  return kept.slice(0, options.k)
}

/** A number between 0 and 1, both excluded, of 52 random bits. */
function drawOf(seed: Uint8Array, nodeId: Hex): number {
  const digest = primitives.keccak256(concatBytes(seed, fromHex(nodeId)))
  return (Number(bytesToBigint(digest.subarray(0, 8)) >> 12n) + 0.5) / 2 ** 52
}

/** a / b to six decimals; 1 when there is nothing to compare. */
function ratio(a: bigint, b: bigint | undefined): number {
  if (b === undefined || b <= 0n || a <= 0n) return 1
  return Math.max(1e-6, Number((a * 1_000_000n) / b) / 1e6)
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value))
}
