import { type Hex, MainframeError } from '@mainframe/protocol'
import { type Static, Type } from 'typebox'
import { createClosestNodes } from '../../repositories/closest.ts'
import { findNode, listNodes, type PriceFilter } from '../../repositories/nodes.ts'
import { type ApiContext, type App, lowerHex, parseService, responses } from '../context.ts'
import { notFound } from '../problems.ts'
import {
  Address,
  ClosestAnswer,
  Limit,
  Money,
  NodeAnswer,
  NodesAnswer,
  ServiceName,
  Word,
} from '../schemas.ts'

const NodesQuery = Type.Object(
  {
    prefix: Type.Optional(
      Type.String({ pattern: '^0x(?:[0-9a-fA-F]{2}){0,32}$', description: 'Start of an address' }),
    ),
    bits: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 256,
        description: 'Leading bits of prefix that count; all of it unless given',
      }),
    ),
    service: Type.Optional(ServiceName),
    token: Type.Optional(Address),
    maxPrice: Type.Optional(Money),
    minStake: Type.Optional(Money),
    limit: Limit,
    cursor: Type.Optional(Word),
  },
  { additionalProperties: false },
)

const ClosestQuery = Type.Object(
  { to: Word, k: Type.Integer({ minimum: 1, maximum: 64, default: 8 }) },
  { additionalProperties: false },
)

function parseOffering(query: Static<typeof NodesQuery>, mft: Hex): PriceFilter | undefined {
  const { service, token, maxPrice } = query
  if (service !== undefined) {
    return { service: parseService(service), token: lowerHex(token ?? mft), maxPrice }
  }
  if (token === undefined && maxPrice === undefined) return undefined
  throw new MainframeError('VALIDATION_FAILED', 'token and maxPrice need a service')
}

export function registerNodeRoutes(app: App, context: ApiContext): void {
  registerList(app, context)
  registerClosest(app, context)
  registerOne(app, context)
}

function registerList(app: App, context: ApiContext): void {
  app.get(
    '/v1/nodes',
    {
      schema: {
        summary: 'Relays by overlay address, a page at a time',
        querystring: NodesQuery,
        response: responses(NodesAnswer),
      },
    },
    ({ query }) => {
      const prefix = lowerHex((query.prefix ?? '0x') as `0x${string}`)
      const offering = parseOffering(query, context.deployment.token)
      return listNodes(context.db, {
        prefix: `0x${prefix.slice(2).padEnd(64, '0')}`,
        bits: query.bits ?? 4 * (prefix.length - 2),
        offering,
        minStake: query.minStake,
        limit: query.limit,
        after: lowerHex(query.cursor),
      })
    },
  )
}

function registerClosest(app: App, context: ApiContext): void {
  const closestNodes = createClosestNodes()
  app.get(
    '/v1/nodes/closest',
    {
      schema: {
        summary: 'The relays that are XOR-closest to an address',
        querystring: ClosestQuery,
        response: responses(ClosestAnswer),
      },
    },
    ({ query: { to, k } }) => closestNodes(context.db, { to, k }),
  )
}

function registerOne(app: App, context: ApiContext): void {
  app.get(
    '/v1/nodes/:id',
    {
      schema: {
        summary: 'One relay, listed or not',
        params: Type.Object({ id: Word }),
        response: responses(NodeAnswer),
      },
    },
    async ({ params }) => {
      const { meta, node } = await findNode(context.db, lowerHex(params.id))
      if (!node) throw notFound('node with this id')
      return { meta, node }
    },
  )
}
