/**
 * Asks an indexer for a discovery and recomputes the answer from its log alone: continuity, relays,
 * overlay addresses, prices, medians, factors, weights, order. Written apart from the project's code,
 * which it does not import.
 */
import { isDeepStrictEqual, parseArgs } from 'node:util'
import { id } from 'ethers'
import { pricesOf, relaysOf } from './recompute/directory.ts'
import { type LogEnd, readLog } from './recompute/log.ts'
import { type Offer, type Recomputed, recompute } from './recompute/rank.ts'

const HELP = `node scripts/recompute-discovery.ts --indexer <url> [options]

Asks the indexer for relays, replays /v1/log, and compares every number of the answer.

  --indexer <url>      such as http://127.0.0.1:8420
  --rpc-url <url>      compare the log's heads with the chain's too
  --need <services>    route/1,hold/1 unless given
  --seed <hex>         0x01 unless given
  --k <count>          16 unless given
  --max-price <amount> base units
  --help               this text

Ends with 1 when the answer does not follow from the log or cannot be had, with 2 for wrong arguments.
`

interface Answer {
  meta: {
    chainId: number
    block: { number: number; hash: string }
    now: number
    registry: LogEnd
    board: LogEnd
  }
  reference: { services: string[]; token: string; medians: string[]; stake: string }
  candidates: number
  offers: (Omit<Offer, 'nodeId'> & { node: { nodeId: string } })[]
}

interface Contracts {
  registry: string
  board: string
  token: string
}

const text = { type: 'string' } as const
const { values } = parseArgs({
  options: {
    indexer: text,
    'rpc-url': text,
    need: { ...text, default: 'route/1,hold/1' },
    seed: { ...text, default: '0x01' },
    k: { ...text, default: '16' },
    'max-price': text,
    help: { type: 'boolean' },
  },
})

try {
  if (values.help) console.log(HELP)
  else process.exitCode = await main(values.indexer)
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause)
  process.exitCode = 1
}

async function main(indexer: string | undefined): Promise<number> {
  if (indexer === undefined) {
    console.error('Say which indexer: --indexer http://127.0.0.1:8420')
    return 2
  }
  const need = values.need.split(',')
  const maxPrice = values['max-price']
  const body = { need, seed: values.seed, k: Number(values.k), maxPrice }
  const { deployment } = await getJson<{ deployment: Contracts }>(new URL('/', indexer))
  const answer = await getJson<Answer>(new URL('/v1/discover', indexer), body)
  const expected = await expect(indexer, answer, { deployment, ...body })
  const faults = compare(expected, answer)
  if (values['rpc-url']) faults.push(...(await compareHeads(values['rpc-url'], answer, deployment)))
  for (const fault of faults) console.log(`differs: ${fault}`)
  const { block, registry, board } = answer.meta
  console.log(
    `${faults.length === 0 ? 'the same' : 'NOT the same'}: ${answer.offers.length} offers of ` +
      `${answer.candidates} candidates at block ${block.number}, from ${registry.seq} events of the ` +
      `registry and ${board.seq} of the board`,
  )
  return faults.length === 0 ? 0 : 1
}

async function expect(
  indexer: string,
  { meta }: Answer,
  question: {
    deployment: Contracts
    need: string[]
    seed: string
    k: number
    maxPrice: string | undefined
  },
): Promise<Recomputed> {
  const { registry, token } = question.deployment
  const block = meta.block.number
  const nodes = await readLog(indexer, 'registry', meta.registry)
  const prices = await readLog(indexer, 'board', meta.board)
  const relays = relaysOf(nodes, { chainId: meta.chainId, registry, block })
  return recompute([...relays.values()], pricesOf(prices), {
    services: question.need.map((name) => id(name)),
    token: token.toLowerCase(),
    maxPrice: question.maxPrice === undefined ? null : BigInt(question.maxPrice),
    seed: question.seed,
    k: question.k,
    block,
    now: meta.now,
  })
}

function compare(expected: Recomputed, { reference, candidates, offers }: Answer): string[] {
  const told: Recomputed = {
    medians: reference.medians,
    stake: reference.stake,
    candidates,
    offers: offers.map(({ node, factors, weight, score }) => {
      return { nodeId: node.nodeId, factors, weight, score }
    }),
  }
  const keys = ['medians', 'stake', 'candidates', 'offers'] as const
  return keys.flatMap((key) =>
    isDeepStrictEqual(told[key], expected[key])
      ? []
      : [`${key}: ${JSON.stringify(told[key])}, not ${JSON.stringify(expected[key])}`],
  )
}

/** Slot 0 of each contract at the block of the answer: the head, then eight bytes of number. */
async function compareHeads(rpcUrl: string, { meta }: Answer, contracts: Contracts) {
  const faults: string[] = []
  for (const contract of ['registry', 'board'] as const) {
    const params = [contracts[contract], '0x0', { blockHash: meta.block.hash }]
    const call = { jsonrpc: '2.0', id: 1, method: 'eth_getStorageAt', params }
    const { result } = await getJson<{ result?: string }>(new URL(rpcUrl), call)
    const { seq, head } = meta[contract]
    if (result?.toLowerCase() !== `${head}${seq.toString(16).padStart(16, '0')}`) {
      faults.push(`the chain's head of the ${contract} is ${result}`)
    }
  }
  return faults
}

async function getJson<T>(url: URL, body?: object): Promise<T> {
  const headers = { 'content-type': 'application/json' }
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : {}
  const response = await fetch(url, init)
  if (!response.ok) throw new Error(`${url.pathname} answers ${response.status}`)
  return (await response.json()) as T
}
