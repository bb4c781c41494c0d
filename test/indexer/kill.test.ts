/** `kill -9` under load: nothing that was answered is lost, and the process is soon back. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ApiNetworkAnswer, ApiReadyAnswer } from '@mainframe/protocol'
import { openDatabase } from '../../indexer/src/db/open.ts'
import { DATABASES } from './databases.ts'
import { DEPLOYMENT, FakeChain, serveChain } from './fake-chain.ts'
import { dump, follow, reset, until, untilAtHead } from './harness.ts'

const CLI = fileURLToPath(new URL('../../indexer/src/cli.ts', import.meta.url))
/** More by environment; whoever asks for more has a machine to spare, and is told when it takes long. */
const ASKED = process.env['INDEXER_KILLS']
const KILLS = Number(ASKED ?? 2)
const READY_MS = 3_000
/** How long the indexer works at most before it is killed; blocks come all the while. */
const LIFE_MS = 700
const BLOCK_MS = 200

for (const { name, skip, settings } of DATABASES) {
  describe(`an indexer on ${name} that is killed`, { skip }, () => {
    it(`${KILLS} times under load has lost no block that it showed`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'mainframe-kill-'))
      const deployment = join(folder, 'deployment.json')
      writeFileSync(deployment, JSON.stringify(DEPLOYMENT))
      const options = { dataFolder: join(folder, 'data'), ...(await settings()) }
      const chain = new FakeChain()
      const rpc = await serveChain(chain)
      const miner = setInterval(() => {
        const node = `node ${chain.blocks.length}`
        chain.mine([
          { type: 'register', node },
          { type: 'prices', node, rows: [{ service: 's', price: 1n }] },
        ])
      }, BLOCK_MS)
      let child: ChildProcess | undefined
      let shown = -1
      const readyMs: number[] = []
      try {
        for (let kill = 0; kill < KILLS; kill++) {
          const began = performance.now()
          const started = await start({ rpcUrl: rpc.url, deployment, options })
          child = started.child
          const { meta } = await ask<ApiNetworkAnswer>(`${started.url}/v1/network`, true)
          assert.ok(meta.block.number >= shown, `block ${shown} was shown and is gone`)
          await until(
            async () => (await ask<ApiReadyAnswer>(`${started.url}/readyz`)).ready,
            'ready',
          )
          readyMs.push(Math.round(performance.now() - began))
          await sleep(Math.random() * LIFE_MS)
          shown = (await ask<ApiNetworkAnswer>(`${started.url}/v1/network`, true)).meta.block.number
          const exited = once(child, 'exit')
          child.kill('SIGKILL')
          await exited
        }
        const warm = readyMs.slice(1)
        t.diagnostic(`ready again after ${warm.join(', ')} ms`)
        clearInterval(miner)
        await assertSameAsReplay(options, rpc.url, chain)
        if (ASKED)
          assert.ok(Math.max(...warm) < READY_MS, `ready only after ${Math.max(...warm)} ms`)
      } finally {
        clearInterval(miner)
        child?.kill('SIGKILL')
        await rpc.close()
        rmSync(folder, { recursive: true, force: true })
      }
    })
  })
}

interface Settings {
  rpcUrl: string
  deployment: string
  options: { dataFolder: string; databaseUrl?: string }
}

async function start({ rpcUrl, deployment, options }: Settings) {
  const { dataFolder, databaseUrl } = options
  const args = ['--rpc-url', rpcUrl, '--deployment', deployment, '--data-folder', dataFolder]
  const more = ['--port', '0', '--poll-interval-ms', '20', '--log-level', 'silent', '--json']
  const child = spawn(
    process.execPath,
    [...(databaseUrl ? [] : ['--liftoff-only']), CLI, ...args, ...more],
    {
      env: { PATH: process.env['PATH'] ?? '', ...(databaseUrl && { DATABASE_URL: databaseUrl }) },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const [line] = await once(createInterface(child.stdout), 'line')
  return { child, url: (JSON.parse(String(line)) as { url: string }).url }
}

/** A body of the interface; with `wait`, asked for until there is one. */
async function ask<T>(url: string, wait = false): Promise<T> {
  for (;;) {
    const response = await fetch(url)
    if (response.ok || !wait) return (await response.json()) as T
    await response.body?.cancel()
    await sleep(5)
  }
}

async function assertSameAsReplay(
  options: Settings['options'],
  url: string,
  chain: FakeChain,
): Promise<void> {
  const db = await openDatabase(options)
  const kept = follow(db, url, 64)
  await untilAtHead(db, chain)
  await kept.stop()
  const state = await dump(db)
  await reset(db)
  const fresh = follow(db, url, 1)
  await untilAtHead(db, chain)
  await fresh.stop()
  assert.deepEqual(state, await dump(db))
  await db.close()
}
