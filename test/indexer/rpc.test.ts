import assert from 'node:assert/strict'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createHttpRpc, type RpcCall } from '../../indexer/src/chain/rpc.ts'

const MIB = 2 ** 20
const jsonRpc = (result: string) => `{"jsonrpc":"2.0","id":1,"result":${result}}`

describe('JSON-RPC over HTTP', () => {
  let server: Server
  let answer: RequestListener
  let abort: AbortController
  let url: string
  let call: RpcCall
  before(async () => {
    server = createServer((request, response) => answer(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  beforeEach(() => {
    abort?.abort()
    abort = new AbortController()
    call = createHttpRpc(url, abort.signal)
  })
  after(() => {
    abort.abort()
    server.close()
  })
  const ask = () => call('eth_getLogs', [])
  const unreachable = (details: object) => ({ code: 'CHAIN_UNREACHABLE', retryable: true, details })

  it('names an answer that breaks off, and one that never comes', async () => {
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 100 })
      response.write('{')
      setImmediate(() => response.destroy())
    }
    await assert.rejects(ask(), unreachable({}))
    answer = (_request, response) => response.socket?.destroy()
    await assert.rejects(ask(), unreachable({}))
    answer = () => abort.abort()
    await assert.rejects(ask(), unreachable({}))
  })

  it('names what is no JSON-RPC, whatever its status', async () => {
    for (const [status, text] of [
      [200, '<html>'],
      [200, 'null'],
      [200, '"words"'],
      [404, 'not found'],
      [301, ''],
    ] as const) {
      answer = (_request, response) => response.writeHead(status).end(text)
      await assert.rejects(ask(), {
        ...unreachable({}),
        message: `The chain RPC answers status ${status} without JSON-RPC`,
      })
    }
    answer = (_request, response) => response.writeHead(502).end(jsonRpc('1'))
    await assert.rejects(ask(), { message: 'The chain RPC answers status 502' })
    const notZipped = { 'content-encoding': 'gzip' }
    answer = (_request, response) => response.writeHead(200, notZipped).end(jsonRpc('1'))
    await assert.rejects(ask(), unreachable({}))
  })

  it('refuses an answer that is larger than any should be, unpacked or not', async () => {
    const refused = { ...unreachable({ refused: true }), message: /answers more than is read/ }
    let sent = 0
    answer = (_request, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(MIB, ' '))) sent += 1
      }
      response.on('drain', more)
      more()
    }
    await assert.rejects(ask(), refused)
    assert.ok(sent < 100, `read ${sent} MiB`)
    const bomb = gzipSync(Buffer.alloc(65 * MIB, ' '))
    answer = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
    await assert.rejects(ask(), refused)
  })

  it('asks for packed answers, and reads them', async () => {
    answer = (request, response) => {
      assert.equal(request.headers['accept-encoding'], 'gzip')
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(jsonRpc('"ä \\u20ac"')))
    }
    assert.equal(await ask(), 'ä €')
  })

  it('reads text that is not ASCII, and keeps a connection', async () => {
    const ports = new Set<number | undefined>()
    answer = (request, response) => {
      ports.add(request.socket.remotePort)
      response.end(jsonRpc('"Zürich 日本"'))
    }
    for (let i = 0; i < 3; i++) assert.equal(await ask(), 'Zürich 日本')
    assert.equal(ports.size, 1)
  })

  it('sends a name and a password of the URL as such, and repeats them nowhere', async () => {
    let authorization: string | undefined
    answer = (request, response) => {
      authorization = request.headers.authorization
      response.writeHead(500).end()
    }
    const withPassword = url.replace('//', '//me:s%C3%A9cret@')
    const refusing = createHttpRpc(withPassword, abort.signal)('eth_chainId', [])
    const error = (await refusing.catch((reason) => reason)) as Error
    assert.equal(authorization, `Basic ${Buffer.from('me:sécret').toString('base64')}`)
    assert.doesNotMatch(`${JSON.stringify(error)} ${error.stack}`, /cret/)
  })
})
