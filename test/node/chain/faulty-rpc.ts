/** A chain node that lies or fails as a test wants it to: an HTTP server in front of the real one. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

export interface Call {
  id: number
  method: string
  params: unknown[]
}

/** Answers a call instead of the node; `forward` asks the node. An HTTP status is a number. */
export type Intercept = (
  call: Call,
  forward: () => Promise<Answer>,
) => Promise<Answer | number> | Answer | number

export interface Answer {
  result?: unknown
  error?: { code: number; message: string }
}

export interface FaultyRpc {
  url: string
  intercept: Intercept
  stop(): Promise<void>
}

export async function startFaultyRpc(rpcUrl: string): Promise<FaultyRpc> {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const body = await text(request)
    const call = JSON.parse(body) as Call
    const forward = async () => {
      const headers = { 'content-type': 'application/json' }
      return (await (await fetch(rpcUrl, { method: 'POST', headers, body })).json()) as Answer
    }
    const answer = await faulty.intercept(call, forward)
    if (typeof answer === 'number') response.writeHead(answer).end('no')
    else response.end(JSON.stringify({ ...answer, jsonrpc: '2.0', id: call.id }))
  }
  const server = createServer((request, response) => void handle(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const faulty: FaultyRpc = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    intercept: (_, forward) => forward(),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return faulty
}
