/** A chain and relays as processes of their own, in a folder that is removed afterwards. */
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Chain,
  fundAccounts,
  type RelayProcess,
  Shutdown,
  startChain,
  startRelays,
} from '@mainframe/localnet'
import { type Deployment, type Hex, secretKeyAccount, toHex } from '@mainframe/protocol'

export interface BenchNetwork {
  chain: Chain
  relays: RelayProcess[]
  shutdown: Shutdown
}

/** What a child needs to act for an account on this chain. */
export interface AccountSettings {
  chain: { rpcUrl: string; deployment: Deployment }
  account: { account: Hex; secretKey: Uint8Array }
}

const MFT = 10n ** 18n
const BUDGET_BASE = 1_000n * MFT

/** The chain is not measured: it is looked at as seldom as relays do by default. */
const POLLING = ['--poll-interval-ms', '1000']
/** Where relays write CPU profiles when they stop, for whoever looks where their time goes. */
const profileFolder = process.env['MAINFRAME_BENCH_PROFILES']
const profiling = (folder: string) => ['--cpu-prof', `--cpu-prof-dir=${folder}`]

export interface NetworkOptions {
  count: number
  /** Further flags of the relays. */
  flags?: readonly string[]
  tell: (progress: string) => void
}

/** Starts the network, lets `use` work with it, and ends every process, whatever happens. */
export async function withNetwork<Result>(
  { count, flags: furtherFlags = [], tell }: NetworkOptions,
  use: (network: BenchNetwork) => Promise<Result>,
): Promise<Result> {
  const flags = [...POLLING, ...furtherFlags]
  const folder = await mkdtemp(join(tmpdir(), 'mainframe-bench-'))
  const shutdown = new Shutdown()
  shutdown.add(() => rm(folder, { recursive: true }))
  const onInterrupt = () => void shutdown.stop().then(() => process.exit(130))
  process.once('SIGINT', onInterrupt)
  try {
    tell(`${count} relays: starting`)
    const chain = await startChain({ folder, port: 0, shutdown })
    const launch = () => ({ flags, nodeArgs: profileFolder ? profiling(profileFolder) : [] })
    const relays = await startRelays({ chain, folder, count, shutdown, launch })
    return await use({ chain, relays, shutdown })
  } finally {
    process.off('SIGINT', onInterrupt)
    await shutdown.stop()
  }
}

/** A new account with MFT and coin. */
export async function createAccount(chain: Chain): Promise<AccountSettings> {
  const secretKey = crypto.getRandomValues(new Uint8Array(32))
  const account = toHex(secretKeyAccount(secretKey))
  await fundAccounts(chain, [{ account, mft: BUDGET_BASE }])
  const { rpcUrl, deployment } = chain
  return { chain: { rpcUrl, deployment }, account: { account, secretKey } }
}

/** Linux counts processor time in these. */
const TICK_MS = 10

/** Processor time of a process so far, user and system, in milliseconds. */
export function cpuMs(pid: number): number {
  // the name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Resident memory of a process in MiB. */
export function rssMb(pid: number): number {
  const kib = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}
