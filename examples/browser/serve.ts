/** Serves the page on a network of its own: `node examples/browser/serve.ts`, and two tabs. */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { startTestNetwork } from '@mainframe/localnet/testing'
import { build } from 'esbuild'

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))
const html = await readFile(here('index.html'))
const { outputFiles } = await build({
  entryPoints: [here('page.ts')],
  bundle: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2024',
  write: false,
})
const script = outputFiles[0]?.contents ?? new Uint8Array()

console.log('A network starts; that takes some seconds.')
const running = await startTestNetwork({ webSocket: true })
/** Anybody on this machine can ask for their keys: the money is for tests. */
const accounts = {
  alice: await running.createAccount(),
  bob: await running.createAccount(),
}

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const account = searchParams.get('as') === 'bob' ? accounts.bob : accounts.alice
  const answers: Record<string, [string, string | Uint8Array]> = {
    '/': ['text/html', html],
    '/page.js': ['text/javascript', script],
    '/config': ['application/json', JSON.stringify({ network: running.network, account })],
  }
  const [type, body] = answers[pathname] ?? ['text/plain', 'There is no such page']
  response.writeHead(answers[pathname] ? 200 : 404, { 'content-type': type })
  response.end(body)
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo
for (const name of Object.keys(accounts)) console.log(`http://127.0.0.1:${port}/?as=${name}`)
console.log('Open both, each in a tab of its own; Ctrl-C ends the network.')

process.once('SIGINT', () => {
  server.close()
  server.closeAllConnections()
  void running.stop()
})
