import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { App } from '../context.ts'

const FOLDER = new URL('../../../page/', import.meta.url)
const FILES = [
  ['/network/', 'index.html', 'text/html; charset=utf-8'],
  ['/network/page.css', 'page.css', 'text/css; charset=utf-8'],
  ['/network/page.js', 'page.js', 'text/javascript; charset=utf-8'],
  ['/network/icon.svg', 'icon.svg', 'image/svg+xml'],
  ['/network/ring.js', 'ring.js', 'text/javascript; charset=utf-8'],
] as const

/** The page loads its own files and asks its own origin, and nothing else. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The page for people, from memory. */
export function registerPage(app: App): void {
  for (const [path, name, type] of FILES) {
    const bytes = readFileSync(new URL(name, FOLDER))
    const etag = `"${createHash('sha256').update(bytes).digest('hex').slice(0, 32)}"`
    app.get(path, { schema: { hide: true } }, (_request, reply) =>
      reply
        .type(type)
        .header('etag', etag)
        .header('cache-control', 'no-cache')
        .header('content-security-policy', POLICY)
        .send(bytes),
    )
  }
  app.get('/network', { schema: { hide: true } }, (_request, reply) => reply.redirect('/network/'))
}
