import type { ApiLogHeader } from '@mainframe/protocol'
import { Type } from 'typebox'
import { readLog } from '../../repositories/log.ts'
import { type ApiContext, type App, lowerHex, readAnswer } from '../context.ts'
import { Problem } from '../schemas.ts'

/** An event has 2 kB at most: a page is a few megabytes, whoever reads it however slowly. */
const MAX_LINES = 1_000

const LogQuery = Type.Object(
  {
    contract: Type.Enum(['registry', 'board'], { description: 'Whose log' }),
    fromSeq: Type.Integer({
      minimum: 1,
      maximum: Number.MAX_SAFE_INTEGER,
      default: 1,
      description: 'Number of the first event wanted',
    }),
    limit: Type.Integer({ minimum: 1, maximum: MAX_LINES, default: MAX_LINES }),
  },
  { additionalProperties: false },
)

export function registerLogRoute(app: App, context: ApiContext): void {
  app.get(
    '/v1/log',
    {
      schema: {
        summary: 'The verifiable log: a line of meta, then a line for each event',
        description:
          'JSON lines. Ask again from the next number until the last line has the number that meta gives for the contract.',
        querystring: LogQuery,
        response: {
          200: {
            description: 'The first line is {"meta": …}, the others are events.',
            content: { 'application/x-ndjson': { schema: Type.String() } },
          },
          '4xx': Problem,
          '5xx': Problem,
        },
      },
    },
    async ({ query: { contract, fromSeq, limit } }, reply) => {
      const address = lowerHex(context.deployment[contract])
      const lines = await readAnswer(context, async (tx, meta) => {
        const header: ApiLogHeader = { meta }
        return [header, ...(await readLog(tx, { address, fromSeq, limit }))]
      })
      reply.type('application/x-ndjson')
      return lines.map((line) => `${JSON.stringify(line)}\n`).join('')
    },
  )
}
