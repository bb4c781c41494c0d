import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ApiNetworkAnswer, ApiReadyAnswer } from '@mainframe/protocol'
import { DEPLOYMENT, FakeChain, serveChain } from './fake-chain.ts'
import { until } from './harness.ts'
import { emptyPglite } from './pglite-folder.ts'

const CLI = fileURLToPath(new URL('../../indexer/src/cli.ts', import.meta.url))

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

class Run {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], environment: Record<string, string> = {}) {
    const env = { PATH: process.env['PATH'] ?? '', ...environment }
    this.child = spawn(process.execPath, ['--liftoff-only', CLI, ...args], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (chunk) => {
      this.stdout += chunk
    })
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
    })
    this.ended = new Promise((resolve) => {
      this.child.once('close', (code) =>
        resolve({ code, stdout: this.stdout, stderr: this.stderr }),
      )
    })
  }

  /** The URL of its `--json` line. */
  async url(): Promise<string> {
    await until(() => this.stdout.includes('\n') || this.child.exitCode !== null, 'it listens')
    const { event, url } = JSON.parse(this.stdout) as { event: string; url: string }
    assert.equal(event, 'listening')
    return url
  }
}

// a process that should end and does not must not hang the run
describe('the indexer command', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'mainframe-indexer-'))
  const deployment = join(folder, 'deployment.json')
  const chain = new FakeChain()
  let rpc: { url: string; close(): Promise<void> }
  const runs: Run[] = []

  function run(args: readonly string[], environment?: Record<string, string>): Run {
    const started = new Run(args, environment)
    runs.push(started)
    return started
  }
  function usual(data: string): string[] {
    const settings = ['--rpc-url', rpc.url, '--deployment', deployment, '--port', '0']
    return [...settings, '--data-folder', join(folder, data), '--poll-interval-ms', '20', '--json']
  }
  const untilReady = (url: string) =>
    until(async () => {
      const answer = (await (await fetch(`${url}/readyz`)).json()) as ApiReadyAnswer
      return answer.ready && answer.block === chain.head.number
    }, 'it is ready')

  before(async () => {
    writeFileSync(deployment, JSON.stringify(DEPLOYMENT))
    await emptyPglite(join(folder, 'one'))
    chain.mine([{ type: 'register', node: 'a' }])
    chain.mine()
    rpc = await serveChain(chain)
  })
  after(async () => {
    for (const { child } of runs) child.kill('SIGKILL')
    await rpc.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('refuses bad settings with one sentence and exit code 2', async () => {
    const cases: [Run, RegExp][] = [
      [run(['--prot', '1']), /Did you mean --port\?/],
      [run(usual('none').slice(2)), /rpcUrl is missing/],
    ]
    for (const [started, message] of cases) {
      const { code, stderr, stdout } = await started.ended
      assert.equal(code, 2, stderr)
      assert.match(stderr, message)
      assert.equal(stdout, '')
    }
  })

  it('refuses a port in use, a folder in use, and data of another deployment', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const inUse = await run([...usual('one'), '--port', String(port)]).ended
    server.close()
    assert.deepEqual([inUse.code, inUse.stderr], [2, `Port ${port} of 127.0.0.1 is in use\n`])

    const first = run(usual('one'))
    await untilReady(await first.url())
    const second = await run(usual('one')).ended
    assert.equal(second.code, 2)
    assert.match(second.stderr, /^The folder .*one is used by another process\n$/)
    first.child.kill('SIGTERM')
    assert.equal((await first.ended).code, 0)

    const elsewhere = join(folder, 'elsewhere.json')
    writeFileSync(elsewhere, JSON.stringify({ ...DEPLOYMENT, board: DEPLOYMENT.token }))
    const other = await run([...usual('one'), '--deployment', elsewhere]).ended
    assert.deepEqual([other.code, /another deployment/.test(other.stderr)], [2, true])
  })

  it('keeps what it read when it is killed, and ends when the chain changed below that', async () => {
    const first = run(usual('one'))
    await untilReady(await first.url())
    first.child.kill('SIGKILL')
    await first.ended
    chain.mine([{ type: 'register', node: 'b' }])
    chain.mine()
    chain.calls.length = 0
    const second = run([...usual('one'), '--finality-depth', '1'])
    const url = await second.url()
    await untilReady(url)
    assert.equal(chain.calls.filter((method) => method === 'eth_getLogs').length, 2)
    const network = (await (await fetch(`${url}/v1/network`)).json()) as ApiNetworkAnswer
    assert.equal(network.activeRelays, 2)

    for (let i = 0; i < 4; i++) chain.mine()
    await untilReady(url)
    chain.cut(3)
    for (let i = 0; i < 5; i++) chain.mine()
    const { code, stderr } = await second.ended
    assert.equal(code, 1)
    assert.match(stderr, /changed at or below block \d+, which counted as final/)
  })
})
