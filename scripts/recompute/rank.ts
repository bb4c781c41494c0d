/** The rank of docs/indexer.md, from relays and prices. Shares no code with the project. */
import { concat, keccak256 } from 'ethers'
import { askedAt, type PriceOf, type Relay } from './directory.ts'

export interface Question {
  services: string[]
  token: string
  maxPrice: bigint | null
  seed: string
  k: number
  /** Block and time of the answer. */
  block: number
  now: number
}

export interface Offer {
  nodeId: string
  factors: { price: number; stake: number; freshness: number; quality: number }
  weight: number
  score: number
}

export interface Recomputed {
  medians: string[]
  stake: string
  candidates: number
  offers: Offer[]
}

const MOST_CANDIDATES = 1_000
const PER_OPERATOR = 2
const FRESH_BLOCKS = 7_200
/** Nothing was observed: 9 successes in 10 are assumed. */
const QUALITY = 0.9

/** What an honest indexer answers. */
export function recompute(
  relays: readonly Relay[],
  prices: readonly PriceOf[],
  question: Question,
): Recomputed {
  const listed = relays.filter(({ active, address }) => active && address !== null)
  const asked = askedBy(prices, question)
  const medians = question.services.map((service) =>
    lowerMedian(listed.flatMap(({ nodeId }) => asked.get(`${nodeId} ${service}`) ?? [])),
  )
  const candidates = ring(listed, keccak256(question.seed)).flatMap((relay) => {
    const own = question.services.flatMap((id) => asked.get(`${relay.nodeId} ${id}`) ?? [])
    const fits = own.every((price) => question.maxPrice === null || price <= question.maxPrice)
    return own.length === question.services.length && fits ? [{ relay, own }] : []
  })
  const stake = lowerMedian(candidates.map(({ relay }) => relay.stake))
  const offers = candidates.map(({ relay, own }) => {
    const logs = own.map((price, i) => Math.log(ratio(medians[i] ?? 0n, price)))
    const mean = logs.reduce((sum, log) => sum + log, 0) / Math.max(1, logs.length)
    const age = Math.max(0, question.block - relay.updatedBlock)
    const factors = {
      price: Math.min(4, Math.max(1 / 4, Math.exp(mean))),
      stake: Math.min(2, Math.max(1 / 2, Math.sqrt(ratio(relay.stake, stake)))),
      freshness: Math.max(1 / 4, 2 ** (-age / FRESH_BLOCKS)),
      quality: QUALITY,
    }
    const weight = factors.price * factors.stake * factors.freshness * factors.quality
    const score = -Math.log(draw(question.seed, relay.nodeId)) / weight
    return { nodeId: relay.nodeId, operator: relay.operator, factors, weight, score }
  })
  return {
    medians: medians.map(String),
    stake: String(stake),
    candidates: candidates.length,
    offers: best(offers, question.k),
  }
}

function askedBy(prices: readonly PriceOf[], { token, now }: Question): Map<string, bigint> {
  const asked = new Map<string, bigint>()
  for (const row of prices) {
    const price = row.token === token ? askedAt(row.schedule, now) : null
    if (price !== null) asked.set(`${row.nodeId} ${row.service}`, price)
  }
  return asked
}

/** By overlay address, from `start` on and around. */
function ring(relays: readonly Relay[], start: string): Relay[] {
  const placed = relays.toSorted((a, b) => (String(a.address) < String(b.address) ? -1 : 1))
  const after = placed.filter(({ address }) => String(address) >= start)
  const before = placed.filter(({ address }) => String(address) < start)
  return [...after, ...before].slice(0, MOST_CANDIDATES)
}

function best(offers: readonly (Offer & { operator: string })[], k: number): Offer[] {
  const count = new Map<string, number>()
  const kept: Offer[] = []
  for (const { operator, ...offer } of offers.toSorted((a, b) => a.score - b.score)) {
    const had = count.get(operator) ?? 0
    count.set(operator, had + 1)
    if (had < PER_OPERATOR && kept.length < k) kept.push(offer)
  }
  return kept
}

/** keccak256(seed ‖ nodeId), its upper 52 bits as a number between 0 and 1. */
function draw(seed: string, nodeId: string): number {
  const digest = BigInt(keccak256(concat([seed, nodeId])))
  return (Number(digest >> 204n) + 0.5) / 2 ** 52
}

/** To six decimals; 1 when there is nothing to compare. */
function ratio(a: bigint, b: bigint): number {
  return a <= 0n || b <= 0n ? 1 : Math.max(1e-6, Number((a * 1_000_000n) / b) / 1e6)
}

function lowerMedian(values: readonly bigint[]): bigint {
  const sorted = values.toSorted((a, b) => (a < b ? -1 : Number(a > b)))
  return sorted[(sorted.length - 1) >> 1] ?? 0n
}
