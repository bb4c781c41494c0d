import { Type } from 'typebox'
import { notReadyReasons } from '../../sync/status.ts'
import type { ApiContext, App } from '../context.ts'
import { ReadyAnswer } from '../schemas.ts'

export function registerHealthRoutes(app: App, context: ApiContext): void {
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
