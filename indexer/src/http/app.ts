import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import underPressure from '@fastify/under-pressure'
import Fastify, { type FastifyReply } from 'fastify'
import type { Logger } from 'pino'
import type { ApiContext, App } from './context.ts'
import { registerEtags } from './etag.ts'
import { LiveEvents } from './live-events.ts'
import { notFound, problemOf } from './problems.ts'
import { registerChannelRoutes } from './routes/channels.ts'
import { registerEventsRoute } from './routes/events.ts'
import { registerHealthRoutes } from './routes/health.ts'
import { registerLogRoute } from './routes/log.ts'
import { registerMarketRoutes } from './routes/market.ts'
import { registerMetricsRoute } from './routes/metrics.ts'
import { registerNetworkRoute } from './routes/network.ts'
import { registerNodeRoutes } from './routes/nodes.ts'
import { registerPage } from './routes/page.ts'

export interface AppOptions {
  /** Requests a minute from one address. */
  rateLimitPerMinute: number
  /** Whether it serves the directory, or only tells how it is. */
  answers: boolean
  log: Logger
}

/** The only bodies are discoveries, of a few hundred bytes. */
const BODY_LIMIT_BYTES = 16 * 1024
/** A handler waits for the database, not for the processor: this much delay means overload. */
const MAX_EVENT_LOOP_DELAY_MS = 2_000
/** Own processes and a proxy share the loopback address. */
const LOOPBACK_FACTOR = 100
const LOOPBACK = new Set(['127.0.0.1', '::1', '::ffff:127.0.0.1'])

/** Listeners to live events, each with a connection of its own. */
const MAX_LISTENERS = 2_000

/** The HTTP interface, not yet listening. */
export async function buildApp(context: ApiContext, options: AppOptions): Promise<App> {
  const app = Fastify({
    bodyLimit: BODY_LIMIT_BYTES,
    // unknown keys are refused, not dropped; query strings are text until their schema says otherwise
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true } },
  }).withTypeProvider<TypeBoxTypeProvider>()
  app.setErrorHandler((error, _request, reply) => {
    const problem = problemOf(error)
    if (problem.status >= 500) options.log.warn({ err: error }, 'request failed')
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((_request, reply) => sendProblem(reply, problemOf(notFound('such route'))))
  await registerGuards(app, options)
  await registerDocs(app)
  const live = new LiveEvents(context.db, MAX_LISTENERS)
  registerHealthRoutes(app, context)
  registerMetricsRoute(app, context, live)
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger())
  if (options.answers) registerDirectory(app, context, live)
  await app.ready()
  return app
}

/** Everything but how the process is. */
function registerDirectory(app: App, context: ApiContext, live: LiveEvents): void {
  registerEtags(app)
  registerNodeRoutes(app, context)
  registerMarketRoutes(app, context)
  registerChannelRoutes(app, context)
  registerLogRoute(app, context)
  registerEventsRoute(app, live)
  registerNetworkRoute(app, context)
  registerPage(app)
  app.get('/', { schema: { hide: true } }, (request, reply) => {
    // people get the page, programs the addresses
    if (request.headers.accept?.includes('text/html')) return reply.redirect('/network/')
    return describeService(request, context)
  })
}

async function registerGuards(app: App, { rateLimitPerMinute }: AppOptions): Promise<void> {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
    },
    // browsers on other origins are meant to read this
    crossOriginResourcePolicy: { policy: 'cross-origin' },
  })
  await app.register(cors, { origin: '*', methods: ['GET', 'HEAD', 'POST'] })
  await app.register(rateLimit, {
    timeWindow: 60_000,
    max: ({ ip }) => (LOOPBACK.has(ip) ? LOOPBACK_FACTOR : 1) * rateLimitPerMinute,
  })
  await app.register(underPressure, { maxEventLoopDelay: MAX_EVENT_LOOP_DELAY_MS })
}

async function registerDocs(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Mainframe indexer',
        version: '1',
        description:
          'The directory of relays, their prices and payment channels, as read from the chain. ' +
          'Every answer names the block it is of; clients check what matters against the chain.',
      },
    },
  })
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: true,
    uiConfig: { validatorUrl: null },
    // an indexer without TLS would otherwise send browsers to https for its own scripts
    transformStaticCSP: (header) => header.replace('upgrade-insecure-requests;', ''),
  })
}

function sendProblem(reply: FastifyReply, problem: ReturnType<typeof problemOf>) {
  return reply.code(problem.status).type('application/problem+json').send(problem)
}

function describeService(
  { protocol, host }: { protocol: string; host: string },
  { deployment }: ApiContext,
) {
  const base = `${protocol}://${host}`
  return {
    name: 'Mainframe indexer',
    discovery: `${base}/v1/discover`,
    nodes: `${base}/v1/nodes`,
    page: `${base}/network/`,
    docs: `${base}/docs`,
    openapi: `${base}/openapi.json`,
    ready: `${base}/readyz`,
    deployment,
  }
}
