import {
  type ApiDiscoverAnswer,
  type ApiDiscoverRequest,
  type ApiMeta,
  fromHex,
  type Hex,
  rankOffers,
  SERVICE_NAMES,
} from '@mainframe/protocol'
import { keccak256 } from 'ethers'
import { Type } from 'typebox'
import type { Queryable } from '../../db/database.ts'
import {
  findCandidates,
  listOffers,
  listServices,
  summarisePrices,
} from '../../repositories/market.ts'
import { readNodes } from '../../repositories/nodes.ts'
import {
  type ApiContext,
  type App,
  lowerHex,
  parseService,
  readAnswer,
  responses,
} from '../context.ts'
import {
  Address,
  DiscoverAnswer,
  DiscoverRequest,
  Limit,
  Money,
  PricesSummaryAnswer,
  ServiceName,
  ServiceOffersAnswer,
  ServicesAnswer,
  Word,
} from '../schemas.ts'

const OffersQuery = Type.Object(
  {
    token: Type.Optional(Address),
    maxPrice: Type.Optional(Money),
    limit: Limit,
    cursor: Type.Optional(Word),
  },
  { additionalProperties: false },
)

const ServicesQuery = Type.Object(
  { token: Type.Optional(Address), limit: Limit, cursor: Type.Optional(Word) },
  { additionalProperties: false },
)

/** Names of the protocol by service id. */
const NAMES = new Map(Object.values(SERVICE_NAMES).map((name) => [parseService(name), name]))

const SummaryQuery = Type.Object(
  { service: Type.Optional(ServiceName), token: Type.Optional(Address) },
  { additionalProperties: false },
)

/** The summary of one service, computed once for each block and rise of a price. */
export async function priceSummary(
  context: ApiContext,
  { tx, meta, service, token }: { tx: Queryable; meta: ApiMeta; service: Hex; token: Hex },
) {
  const read = () => summarisePrices(tx, meta, { service, token })
  const { summary } = await context.cache(
    meta,
    `prices ${service} ${token}`,
    read,
    ({ until }) => until,
  )
  return summary
}

export function registerMarketRoutes(app: App, context: ApiContext): void {
  registerDiscover(app, context)
  registerServices(app, context)
  registerOffers(app, context)
  registerSummary(app, context)
}

function registerOffers(app: App, context: ApiContext): void {
  app.get(
    '/v1/services/:id/offers',
    {
      schema: {
        summary: 'Who offers a service, by node id, a page at a time',
        params: Type.Object({ id: ServiceName }),
        querystring: OffersQuery,
        response: responses(ServiceOffersAnswer),
      },
    },
    ({ params, query }) =>
      readAnswer(context, async (tx, meta) => {
        const page = await listOffers(tx, meta, {
          service: parseService(params.id),
          token: lowerHex(query.token ?? context.deployment.token),
          maxPrice: query.maxPrice,
          limit: query.limit,
          after: lowerHex(query.cursor),
        })
        return { meta, ...page }
      }),
  )
}

function registerServices(app: App, context: ApiContext): void {
  app.get(
    '/v1/services',
    {
      schema: {
        summary: 'Services that somebody offers, by id, a page at a time',
        querystring: ServicesQuery,
        response: responses(ServicesAnswer),
      },
    },
    ({ query }) =>
      readAnswer(context, async (tx, meta) => {
        const { services, next } = await listServices(tx, {
          token: lowerHex(query.token ?? context.deployment.token),
          limit: query.limit,
          after: lowerHex(query.cursor),
        })
        const named = services.map((row) => ({ ...row, name: NAMES.get(row.service) ?? null }))
        return { meta, services: named, next }
      }),
  )
}

function registerSummary(app: App, context: ApiContext): void {
  app.get(
    '/v1/prices/summary',
    {
      schema: {
        summary: 'Median, 10th and 90th percentile of what listed relays ask',
        querystring: SummaryQuery,
        response: responses(PricesSummaryAnswer),
      },
    },
    ({ query }) =>
      readAnswer(context, async (tx, meta) => {
        const token = lowerHex(query.token ?? context.deployment.token)
        const names = query.service === undefined ? Object.values(SERVICE_NAMES) : [query.service]
        const summaries = []
        for (const name of names) {
          const service = parseService(name)
          summaries.push(await priceSummary(context, { tx, meta, service, token }))
        }
        return { meta, summaries }
      }),
  )
}

function registerDiscover(app: App, context: ApiContext): void {
  app.post(
    '/v1/discover',
    {
      schema: {
        summary: 'Relays for a need, in an order drawn by weight with the seed of the client',
        body: DiscoverRequest,
        response: responses(DiscoverAnswer),
      },
    },
    ({ body }) => readAnswer(context, (tx, meta) => discover(context, { tx, meta, body })),
  )
}

async function discover(
  context: ApiContext,
  { tx, meta, body }: { tx: Queryable; meta: ApiMeta; body: ApiDiscoverRequest },
): Promise<ApiDiscoverAnswer> {
  const services = [...new Set(body.need.map(parseService))]
  const token = lowerHex(body.token ?? context.deployment.token)
  const medians: bigint[] = []
  for (const service of services) {
    const { median } = await priceSummary(context, { tx, meta, service, token })
    medians.push(BigInt(median ?? 0))
  }
  const from = keccak256(body.seed) as Hex
  const { maxPrice } = body
  const candidates = await findCandidates(tx, meta, { services, token, maxPrice, from })
  const stake = lowerMedian(candidates.map((candidate) => candidate.stake))
  const reference = { medians, stake, blockNumber: meta.block.number }
  const ranked = rankOffers(candidates, { reference, seed: fromHex(body.seed), k: body.k })
  const ids = ranked.map(({ candidate }) => candidate.nodeId)
  const nodes = new Map((await readNodes(tx, meta, ids)).map((node) => [node.nodeId, node]))
  return {
    meta,
    reference: { services, token, medians: medians.map(String), stake: String(stake) },
    candidates: candidates.length,
    offers: ranked.flatMap(({ candidate, factors, weight, score }) => {
      const node = nodes.get(candidate.nodeId)
      return node ? [{ node, factors, weight, score }] : []
    }),
  }
}

function lowerMedian(values: readonly bigint[]): bigint {
  const sorted = [...values].sort((a, b) => (a < b ? -1 : Number(a > b)))
  return sorted[(sorted.length - 1) >> 1] ?? 0n
}
