/** Taking in and answering as two processes on one PostgreSQL. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { ApiNodesAnswer, ApiReadyAnswer } from '@mainframe/protocol'
import type { IndexerConfig } from '../../indexer/src/config.ts'
import { type RunningIndexer, startIndexer } from '../../indexer/src/indexer.ts'
import { DATABASES } from './databases.ts'
import { DEPLOYMENT, FakeChain, nodeIdOfName, serveChain } from './fake-chain.ts'
import { until } from './harness.ts'

const [, postgres] = DATABASES

describe('an indexer in two roles', { skip: postgres?.skip ?? true }, () => {
  const chain = new FakeChain()
  let config: Omit<IndexerConfig, 'role'>
  let rpc: { url: string; close(): Promise<void> }
  let ingest: RunningIndexer | undefined
  let api: RunningIndexer | undefined

  before(async () => {
    chain.mine([{ type: 'register', node: 'a' }])
    chain.mine()
    rpc = await serveChain(chain)
    config = {
      ...(await postgres?.settings()),
      rpcUrl: rpc.url,
      rpcRequestsPerSecond: 10_000,
      deployment: DEPLOYMENT,
      host: '127.0.0.1',
      port: 0,
      finalityDepth: 10,
      pollIntervalMs: 20,
      rateLimitPerMinute: 1_000,
      logLevel: 'silent',
    }
  })
  after(async () => {
    await api?.stop()
    await ingest?.stop()
    await rpc.close()
  })

  it('refuses to answer from a database that nobody has filled', async () => {
    await assert.rejects(startIndexer({ ...config, role: 'api' }), { code: 'INDEXER_NOT_READY' })
  })

  it('takes in by one process, which answers how it is and nothing else', async () => {
    ingest = await startIndexer({ ...config, role: 'ingest' })
    const { url } = ingest
    await until(async () => (await fetch(`${url}/readyz`)).status === 200, 'it is ready')
    const statuses = ['/healthz', '/metrics', '/v1/nodes', '/v1/events', '/'].map(
      async (path) => (await fetch(url + path)).status,
    )
    assert.deepEqual(await Promise.all(statuses), [200, 200, 404, 404, 404])
  })

  it('answers by another, which knows what the first is doing and needs no chain', async () => {
    api = await startIndexer({ ...config, role: 'api', rpcUrl: 'http://127.0.0.1:1' })
    const { url } = api
    await until(async () => (await fetch(`${url}/readyz`)).status === 200, 'it is ready')
    chain.mine([{ type: 'register', node: 'b' }])
    chain.mine()
    await until(async () => {
      const { nodes } = (await (await fetch(`${url}/v1/nodes`)).json()) as ApiNodesAnswer
      return nodes.some(({ nodeId }) => nodeId === nodeIdOfName('b'))
    }, 'the answers have the newest node')
  })

  it('says that it is no longer fresh when the other has trouble', async () => {
    chain.tamper = () => {
      throw new Error('down')
    }
    await until(async () => {
      const { reasons } = (await (await fetch(`${api?.url}/readyz`)).json()) as ApiReadyAnswer
      return reasons.includes('rpc-down')
    }, 'it gives the reason')
  })
})
