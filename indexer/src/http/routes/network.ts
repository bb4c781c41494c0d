import { type Hex, networkLuminosity, SERVICE_NAMES } from '@mainframe/protocol'
import { Type } from 'typebox'
import { countNetwork } from '../../repositories/network.ts'
import { readTopology } from '../../repositories/topology.ts'
import { type ApiContext, type App, parseService, readAnswer, responses } from '../context.ts'
import { NetworkAnswer } from '../schemas.ts'
import { priceSummary } from './market.ts'

/** The picture shows prices, which rise with the clock. */
const TOPOLOGY_SECONDS = 5

const NetworkQuery = Type.Object(
  {
    topology: Type.Boolean({
      default: false,
      description: 'Adds relays by address, the latest blocks, and sums over channels',
    }),
  },
  { additionalProperties: false },
)

export function registerNetworkRoute(app: App, context: ApiContext): void {
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
            ? await context.cache(
                meta,
                'topology',
                () => readTopology(tx, meta, { token, relays }),
                () => meta.now + TOPOLOGY_SECONDS,
              )
            : null,
        }
      }),
  )
}
