import { MainframeError } from '@mainframe/protocol'
import { Type } from 'typebox'
import type { App } from '../context.ts'
import type { LiveEvents } from '../live-events.ts'
import { Problem } from '../schemas.ts'

const Id = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })

const DESCRIPTION = `Server-sent events, in the order in which the indexer learnt of them. \`blocks\`:
blocks were taken in. \`event\`: an event of the contracts, of a block that is not final yet; those of
final blocks are counted, not told. \`retraction\`: the chain dropped a block, and what was told under the
id \`retracts\` no longer holds. Last-Event-ID, or \`after\`, resumes without a gap; \`reset\` comes instead
when that place is too old: ask for the state anew.`

export function registerEventsRoute(app: App, live: LiveEvents): void {
  app.addHook('preClose', () => live.stop())
  app.get(
    '/v1/events',
    {
      schema: {
        summary: 'What happens, live, with retractions when the chain is reorganised',
        description: DESCRIPTION.replaceAll('\n', ' '),
        headers: Type.Object({ 'last-event-id': Type.Optional(Id) }),
        querystring: Type.Object(
          { after: Type.Optional({ ...Id, description: 'As Last-Event-ID, for a first request' }) },
          { additionalProperties: false },
        ),
        response: {
          200: {
            description: 'The events, until either side ends them',
            content: { 'text/event-stream': { schema: Type.String() } },
          },
          '4xx': Problem,
          '5xx': Problem,
        },
      },
    },
    async (request, reply) => {
      if (!live.hasRoom) {
        const message = 'Too many listen already; try again later, or poll'
        throw new MainframeError('INDEXER_BUSY', message, { retryable: true })
      }
      const lastId = request.headers['last-event-id'] ?? request.query.after
      reply.hijack()
      const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }
      reply.raw.writeHead(200, { ...reply.getHeaders(), ...headers } as Record<string, string>)
      try {
        await live.listen(reply.raw, lastId)
      } catch {
        reply.raw.destroy() // the database went away; the client comes back by itself
      }
      return reply
    },
  )
}
