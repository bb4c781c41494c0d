/** The indexer as a process of its own, as it is run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { ApiReadyAnswer } from '@mainframe/protocol'
import type { Shutdown } from '../../localnet/src/shutdown.ts'
import { rssMb } from '../world/network.ts'
import { BENCH_DEPLOYMENT } from './events.ts'

const CLI = fileURLToPath(new URL('../../indexer/src/cli.ts', import.meta.url))
const LOOK_MS = 100
/** As docs/indexer.md recommends for a small machine: Node takes twice the memory otherwise. */
const MEMORY_FLAGS = [
  '--max-semi-space-size=16',
  '--max-old-space-size=160',
  '--single-threaded-gc',
]
/** Where the process writes a CPU profile when it stops, for whoever looks where the time goes. */
const profileFolder = process.env['MAINFRAME_BENCH_PROFILES']

export interface IndexerSettings {
  rpcUrl: string
  /** Of PostgreSQL; left out for PGlite in `folder`. */
  databaseUrl: string | undefined
  folder: string
  shutdown: Shutdown
}

export interface BenchIndexer {
  url: string
  /** Resident memory of the process so far, the most of it, in MiB. */
  peakRssMb(): number
  /** Resolves when it has this block; with the time of that in `performance.now` milliseconds. */
  untilBlock(number: number): Promise<number>
  stop(): Promise<void>
}

export async function startBenchIndexer(settings: IndexerSettings): Promise<BenchIndexer> {
  const { rpcUrl, databaseUrl, folder, shutdown } = settings
  const deployment = join(folder, 'deployment.json')
  writeFileSync(deployment, JSON.stringify(BENCH_DEPLOYMENT))
  const profiling = profileFolder ? ['--cpu-prof', `--cpu-prof-dir=${profileFolder}`] : []
  const flags = {
    'rpc-url': rpcUrl,
    deployment,
    port: '0',
    'data-folder': join(folder, 'data'),
    'poll-interval-ms': '100',
    'rpc-requests-per-second': '10000',
    'rate-limit-per-minute': '1000000',
    'log-level': 'error',
  }
  const args = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
  const child = spawn(process.execPath, [...MEMORY_FLAGS, ...profiling, CLI, '--json', ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...(databaseUrl && { DATABASE_URL: databaseUrl }) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = once(child, 'exit')
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    await exited
  }
  shutdown.add(stop)
  const lines = createInterface(child.stdout)
  const line = await Promise.race([once(lines, 'line'), exited])
  const { url } = JSON.parse(String(line[0])) as { url: string }
  let peak = 0
  return {
    url,
    peakRssMb: () => peak,
    stop,
    async untilBlock(number) {
      for (;;) {
        const answer = (await (await fetch(`${url}/readyz`)).json()) as Partial<ApiReadyAnswer>
        peak = Math.max(peak, rssMb(child.pid ?? 0))
        if ((answer.block ?? -1) >= number) return performance.now()
        await sleep(LOOK_MS)
      }
    },
  }
}
