import { Type } from 'typebox'
import type { ApiContext, App } from '../context.ts'
import type { LiveEvents } from '../live-events.ts'
import { type AnswerCounts, renderMetrics } from '../metrics.ts'

export function registerMetricsRoute(app: App, context: ApiContext, live: LiveEvents): void {
  const answers: AnswerCounts = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 }
  let answerSeconds = 0
  app.addHook('onResponse', async (_request, reply) => {
    const kind = `${Math.floor(reply.statusCode / 100)}xx`
    if (kind in answers) answers[kind as keyof AnswerCounts] += 1
    answerSeconds += reply.elapsedTime / 1000
  })
  app.get(
    '/metrics',
    {
      schema: {
        summary: 'Metrics in the text format of Prometheus',
        response: {
          200: {
            description: 'Lines of text',
            content: { 'text/plain': { schema: Type.String() } },
          },
        },
      },
    },
    (_request, reply) => {
      reply.type('text/plain; version=0.0.4')
      const status = context.status()
      const isStopping = context.isStopping()
      const { counts } = live
      return renderMetrics({ status, isStopping, answers, answerSeconds, live: counts })
    },
  )
}
