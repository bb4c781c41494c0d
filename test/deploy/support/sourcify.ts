/**
 * A Sourcify server as far as verification needs it. Like the real one it compiles what it is shown, and
 * compares the result with the code on the chain, metadata included.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { isCodeOf } from '../../../deploy/artifacts.ts'
import type { TestNode } from './nodes.ts'

/** What a client shows for one contract. */
export interface Submission {
  address: string
  contractIdentifier: string
  compilerVersion: string
  stdJsonInput: { settings: Record<string, unknown>; sources: Record<string, unknown> }
}

export interface FakeSourcify {
  apiUrl: string
  submissions: readonly Submission[]
  /** Addresses whose code came out of the compiler. */
  verified: ReadonlySet<string>
  /** Forgets what is verified, and refuses everything from now on. */
  refuse(): void
  stop(): Promise<void>
}

interface Solc {
  version(): string
  compile(input: string): string
}

const solc = createRequire(import.meta.url)('solc') as Solc

export async function startSourcify(node: TestNode): Promise<FakeSourcify> {
  const submissions: Submission[] = []
  const verified = new Set<string>()
  let refuses = false
  const server = createServer(async (request, response) => {
    const [, , , third = '', address = ''] = new URL(request.url ?? '', 'http://x').pathname.split(
      '/',
    )
    if (request.method === 'POST') {
      const submission = { address, ...(await readJson(request)) } as Submission
      submissions.push(submission)
      const isRight = !refuses && (await compilesToCode(submission, node))
      if (isRight) verified.add(address.toLowerCase())
      return answer(response, 202, { verificationId: `${submissions.length - 1}` })
    }
    if (request.url?.startsWith('/v2/verify/')) {
      const { address: shown = '' } = submissions[Number(third)] ?? {}
      return answer(response, 200, jobOf(third, verified.has(shown.toLowerCase())))
    }
    const match = verified.has(address.toLowerCase()) ? 'exact_match' : null
    const lookup = { match, creationMatch: match, runtimeMatch: match, chainId: third, address }
    return answer(response, match === null ? 404 : 200, lookup)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    apiUrl: `http://127.0.0.1:${port}`,
    submissions,
    verified,
    refuse: () => {
      refuses = true
      verified.clear()
    },
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function jobOf(verificationId: string, isRight: boolean): object {
  const error = { customCode: 'no_match', message: 'The code is another one', errorId: '1' }
  return {
    isJobCompleted: true,
    verificationId,
    jobStartTime: '2026-01-01T00:00:00Z',
    contract: { match: isRight ? 'exact_match' : null },
    ...(!isRight && { error }),
  }
}

async function compilesToCode(submission: Submission, node: TestNode): Promise<boolean> {
  const { contractIdentifier, compilerVersion, stdJsonInput, address } = submission
  const ours = solc.version().replace(/\.Emscripten.*/, '')
  if (compilerVersion !== `v${ours}`) return false
  const [file = '', name = ''] = contractIdentifier.split(/:(?=[^:]*$)/)
  const output = JSON.parse(solc.compile(JSON.stringify(stdJsonInput)))
  const compiled = output.contracts?.[file]?.[name]?.evm?.deployedBytecode
  if (compiled === undefined) return false
  const code = await node.ask('eth_getCode', address, 'latest')
  const { object, immutableReferences } = compiled
  return isCodeOf({ deployedBytecode: `0x${object}`, immutableReferences }, code)
}

async function readJson(request: IncomingMessage): Promise<object> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return JSON.parse(Buffer.concat(chunks).toString())
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
