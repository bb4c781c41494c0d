import { type Hex, networkLuminosity, SERVICE_NAMES } from '@mainframe/protocol'
import { Type } from 'typebox'
import { countNetwork } from '../../repositories/network.ts'
import { readTopology } from '../../repositories/topology.ts'
import { notReadyReasons } from '../../sync/status.ts'
import { type ApiContext, type App, parseService, readAnswer, responses } from '../context.ts'
import { NetworkAnswer, ReadyAnswer } from '../schemas.ts'
import { priceSummary } from './market.ts'

const NetworkQuery = Type.Object(
  {
    topology: Type.Boolean({
      default: false,
      description: 'Adds relays by address, the latest blocks, and sums over channels',
    }),
  },
  { additionalProperties: false },
)

export function registerNetworkRoutes(app: App, context: ApiContext): void {
  app.get(
    '/v1/network',
    {
      schema: {
        summary: 'Size, luminosity and median prices of the network, and what a picture needs',
        querystring: NetworkQuery,
        response: responses(NetworkAnswer),
      },
    },
    ({ query }) =>
      readAnswer(context, async (tx, meta) => {
        const { relays, users } = await context.cache(meta, 'counts', () => countNetwork(tx))
        const token: Hex = context.deployment.token
        const summary = (name: string) =>
          priceSummary(context, { tx, meta, service: parseService(name), token })
        return {
          meta,
          activeRelays: relays,
          users,
          luminosity: networkLuminosity(relays, users),
          prices: {
            route: await summary(SERVICE_NAMES.route),
            hold: await summary(SERVICE_NAMES.hold),
          },
          topology: query.topology
            ? await context.cache(meta, 'topology', () => readTopology(tx, meta, { token, relays }))
            : null,
        }
      }),
  )

  app.get(
    '/healthz',
    {
      schema: {
        summary: 'Whether the process answers at all',
        response: { 200: Type.Object({ ok: Type.Boolean() }) },
      },
    },
    () => ({ ok: true }),
  )

  app.get(
    '/readyz',
    {
      schema: {
        summary: 'Whether the answers are fresh, or why not',
        response: { 200: ReadyAnswer, 503: ReadyAnswer },
      },
    },
    (_request, reply) => {
      const status = context.status()
      const reasons = notReadyReasons(status)
      if (context.isStopping()) reasons.push('stopping')
      const ready = reasons.length === 0
      const { block, head } = status
      if (!ready) reply.code(503)
      return { ready, reasons, block, head }
    },
  )
}
