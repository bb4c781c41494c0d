import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import {
  type ApiLogContract,
  type ApiLogHeader,
  type ApiLogLine,
  type ApiProblem,
  continuesLog,
  decodeLog,
  GENESIS_HEAD,
  type LogHead,
  logOfLine,
  type RegistryEvent,
} from '@mainframe/protocol'
import { DATABASES } from './databases.ts'
import { DEPLOYMENT, nodeIdOfName } from './fake-chain.ts'
import { mineRelays, type Rig, startRig } from './rig.ts'

const SCRIPT = fileURLToPath(new URL('../../scripts/recompute-discovery.ts', import.meta.url))

async function readLog(url: string, contract: ApiLogContract, query = '') {
  const response = await fetch(`${url}/v1/log?contract=${contract}${query}`)
  assert.match(response.headers.get('content-type') ?? '', /^application.x-ndjson/)
  const [header, ...lines] = (await response.text()).trimEnd().split('\n')
  return {
    meta: (JSON.parse(header as string) as ApiLogHeader).meta,
    lines: lines.map((line) => JSON.parse(line) as ApiLogLine),
  }
}

for (const { name, skip, settings } of DATABASES) {
  describe(`the verifiable log on ${name}`, { skip }, () => {
    let rig: Rig
    before(async () => {
      rig = await startRig(await settings(), (chain) => {
        const names = mineRelays(chain, 9)
        chain.mine([
          { type: 'update', node: names[1] as string, sealKey: 'another' },
          { type: 'unstake', node: names[2] as string },
          { type: 'register', node: 'unsigned', badSignature: true },
        ])
        chain.mine([{ type: 'register', node: 'last' }])
      })
    })
    after(() => rig?.stop())

    it('wants to know whose, and from where', async () => {
      for (const query of [
        '',
        '?contract=channels',
        '?contract=board&fromSeq=0',
        '?contract=board&limit=1001',
      ]) {
        const response = await fetch(`${rig.indexer.url}/v1/log${query}`)
        assert.equal(response.status, 400, query)
        assert.equal(((await response.json()) as ApiProblem).code, 'VALIDATION_FAILED')
      }
    })

    for (const contract of ['registry', 'board'] as const) {
      it(`of the ${contract} continues itself from the first event to the head that meta gives`, async () => {
        let at: LogHead = GENESIS_HEAD
        const { meta } = await readLog(rig.indexer.url, contract)
        while (Number(at.seq) < meta[contract].seq) {
          const page = await readLog(rig.indexer.url, contract, `&limit=4&fromSeq=${at.seq + 1n}`)
          assert.ok(page.lines.length > 0 && page.lines.length <= 4)
          for (const line of page.lines) {
            const event = decodeLog(
              logOfLine(line, contract, DEPLOYMENT),
              DEPLOYMENT,
            ) as RegistryEvent
            assert.ok(continuesLog(at, event))
            assert.deepEqual([event.seq, event.head], [BigInt(line.seq), line.head])
            at = event
          }
        }
        assert.equal(at.head, rig.chain.head[contract].head)
        const { lines } = await readLog(rig.indexer.url, contract, `&fromSeq=${at.seq + 1n}`)
        assert.deepEqual(lines, [])
      })
    }

    it('gives the seed block of registrations, as soon as there is one, and of nothing else', async () => {
      const { lines } = await readLog(rig.indexer.url, 'registry')
      const events = lines.map((line) => {
        const event = decodeLog(logOfLine(line, 'registry', DEPLOYMENT), DEPLOYMENT)
        return { ...(event as RegistryEvent), seedBlockHash: line.seedBlockHash }
      })
      for (const { type, nodeId, blockNumber, seedBlockHash } of events) {
        const seed = rig.chain.blocks[blockNumber + 1]?.hash ?? null
        assert.equal(seedBlockHash, type === 'Registered' ? seed : null, nodeId)
      }
      assert.equal(events.at(-1)?.nodeId, nodeIdOfName('last'))
      assert.equal(events.at(-1)?.seedBlockHash, null)
      assert.ok(events.some(({ type }) => type === 'Updated'))
    })

    describe('a discovery recomputed from it, without the code of the project', () => {
      const run = (url: string, ...more: string[]) =>
        new Promise<{ code: number; output: string }>((resolve) => {
          const args = [SCRIPT, '--indexer', url, '--rpc-url', rig.rpcUrl, ...more]
          const child = execFile(process.execPath, args, (_error, stdout, stderr) =>
            resolve({ code: child.exitCode ?? 1, output: stdout + stderr }),
          )
        })

      it('is the same to the last digit', async () => {
        const { code, output } = await run(
          rig.indexer.url,
          '--seed',
          '0x77',
          '--max-price',
          '214000000000',
        )
        assert.match(output, /^the same: \d offers of \d candidates/)
        assert.equal(code, 0)
      })

      // the script does not see the database: once is enough
      if (name !== 'PGlite') return

      it('is not when the indexer favours somebody', async () => {
        const proxy = await lyingProxy(rig.indexer.url, (body) =>
          body.replace(/"weight":[\d.]+/, '"weight":99'),
        )
        const { code, output } = await run(proxy.url).finally(proxy.close)
        assert.match(output, /differs: offers: .*\nNOT the same/s)
        assert.equal(code, 1)
      })

      it('is not when the log was changed', async () => {
        const proxy = await lyingProxy(rig.indexer.url, (body) =>
          body.replace(/^.*"seq":3,.*\n/m, ''),
        )
        const { code, output } = await run(proxy.url).finally(proxy.close)
        assert.match(output, /event 3 of the log is not there/)
        assert.equal(code, 1)
      })
    })
  })
}

/** An indexer in front of another one that changes its answers. */
async function lyingProxy(target: string, lie: (body: string) => string) {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method = 'GET', headers } = request
    const type = headers['content-type'] ?? 'application/json'
    const init =
      method === 'POST' ? { body: Buffer.concat(chunks), headers: { 'content-type': type } } : {}
    const answer = await fetch(target + request.url, { method, ...init })
    response.end(lie(await answer.text()))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  return { url: `http://127.0.0.1:${port}`, close }
}
