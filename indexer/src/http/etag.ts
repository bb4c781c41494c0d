import type { ApiMeta } from '@mainframe/protocol'
import type { App } from './context.ts'

/** Prices change with the clock, between blocks too. */
const SLOT_SECONDS = 5
/** Answers that only a block changes. */
const WITHOUT_CLOCK = /^\/v1\/(channels|accounts)\//

/** Lets a client that has the answer of this block hear 304 instead of the same answer again. */
export function registerEtags(app: App): void {
  app.addHook('preSerialization', async (request, reply, payload) => {
    const meta = (payload as { meta?: ApiMeta } | null)?.meta
    if (request.method === 'GET' && reply.statusCode === 200 && meta) {
      reply.header('etag', etagOf(request.url, meta)).header('cache-control', 'no-cache')
    }
    return payload
  })
  app.addHook('onSend', async (request, reply, payload) => {
    const etag = reply.getHeader('etag')
    const known = request.headers['if-none-match']?.split(',').map((tag) => tag.trim())
    if (etag === undefined || !known?.includes(String(etag))) return payload
    reply.code(304).removeHeader('content-length').removeHeader('content-type')
    return null
  })
}

/** Weak: `meta.now` is of the moment. */
function etagOf(url: string, { block, now }: ApiMeta): string {
  const slot = WITHOUT_CLOCK.test(url) ? 0 : Math.floor(now / SLOT_SECONDS)
  return `W/"${block.hash.slice(2, 34)}-${slot.toString(36)}"`
}
