/** Relays as processes of their own, registered with stake by operators of their own. */
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createKeys, type RelayKeys, type RelayStatus, Rpc, registerRelay } from '@mainframe/node'
import { type Hex, MainframeError, secretKeyAccount, toHex } from '@mainframe/protocol'
import { fundAccounts } from './accounts.ts'
import type { Chain } from './chain.ts'
import { repositoryFile } from './paths.ts'
import { freePorts } from './ports.ts'
import { Service } from './service.ts'
import type { Shutdown } from './shutdown.ts'

const MFT = 10n ** 18n
const STAKE_BASE = 1_000n * MFT
/** What a relay may lock in channels to the others. */
const WORKING_CAPITAL_BASE = 10n * MFT
const READY_TIMEOUT_MS = 180_000
const POLL_INTERVAL_MS = 100

/** Around these, relays ask a little more or less: a market, not a tariff. In units of 10^-9 MFT. */
const PRICES = { routeUnits: 1_000, holdUnitsPerHour: 20 }
const PRICE_STEP_PERCENT = 2
const PRICE_STEPS = 5

/** A relay process and what an operator knows of it. */
export interface RelayProcess {
  nodeId: Hex
  nodeKey: Uint8Array
  multiaddrs: readonly string[]
  /** Hot account: manager, payee and payer. */
  hot: Hex
  /** Cold account: owner of the stake. */
  operator: Hex
  folder: string
  service: Service
}

/** How a relay's process is started, where that is not as usual: for tests of faults. */
export interface Launch {
  /** Arguments of Node before the relay's own, such as `--import`. */
  nodeArgs?: readonly string[]
  /** Further flags of `relay start`. */
  flags?: readonly string[]
  /** As for {@link Service}. */
  wrapper?: readonly string[]
}

interface PreparedRelay {
  name: string
  folder: string
  keys: RelayKeys
  operatorSecret: Uint8Array
  operator: Hex
  listen: readonly string[]
  index: number
}

export interface RelaysOptions {
  chain: Chain
  folder: string
  count: number
  shutdown: Shutdown
  onProgress?: (text: string) => void
  /** By the relay's place, from 0. */
  launch?: ((index: number) => Launch) | undefined
  /** Also listen on WebSocket, for browsers. */
  webSocket?: boolean | undefined
}

/** Resolves when every relay is linked to those it needs. */
export async function startRelays(options: RelaysOptions): Promise<RelayProcess[]> {
  const { chain, count, onProgress = () => {} } = options
  const prepared = await prepare(options)
  onProgress(`${count} operators get MFT for their stake`)
  await fundAccounts(
    chain,
    prepared.flatMap(({ operator, keys }) => [
      { account: operator, mft: STAKE_BASE },
      { account: keys.hotAccount, mft: WORKING_CAPITAL_BASE },
    ]),
  )
  onProgress(`${count} relays register`)
  const processes = await Promise.all(prepared.map((relay) => register(relay, options)))
  onProgress(`${count} relays look for each other`)
  let ready = 0
  await Promise.all(
    processes.map(async ({ service }) => {
      await service.waitFor('ready', READY_TIMEOUT_MS)
      ready += 1
      onProgress(`${ready} of ${count} relays are linked to all others`)
    }),
  )
  return processes
}

/** Starts a relay again in its folder, with its keys, vouchers and holdings. */
export function restartRelay(
  relay: RelayProcess,
  shutdown: Shutdown,
  launch: Launch = {},
): RelayProcess {
  const service = startProcess(relay.service.name, relay.folder, launch)
  shutdown.add(() => service.stop())
  return { ...relay, service }
}

async function prepare({
  folder,
  count,
  webSocket = false,
}: RelaysOptions): Promise<PreparedRelay[]> {
  const forms = webSocket ? ['', '/ws'] : ['']
  const ports = await freePorts(count * forms.length)
  return await Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const name = `relay-${index + 1}`
      const relayFolder = join(folder, name)
      await mkdir(relayFolder, { recursive: true, mode: 0o700 })
      const operatorSecret = crypto.getRandomValues(new Uint8Array(32))
      return {
        name,
        folder: relayFolder,
        keys: await createKeys(relayFolder),
        operatorSecret,
        operator: toHex(secretKeyAccount(operatorSecret)),
        listen: forms.map((form, i) => `/ip4/127.0.0.1/tcp/${ports[i * count + index]}${form}`),
        index,
      }
    }),
  )
}

async function register(relay: PreparedRelay, options: RelaysOptions): Promise<RelayProcess> {
  const { chain, shutdown } = options
  const { name, folder, keys, operatorSecret, operator, listen, index } = relay
  const { nodeId } = await registerRelay({
    rpc: new Rpc({ url: chain.rpcUrl }),
    deployment: chain.deployment,
    operatorSecret,
    keys,
    stakeBase: STAKE_BASE,
    multiaddrs: listen,
    metadata: name,
    pollMs: POLL_INTERVAL_MS,
  })
  await writeFile(join(folder, 'config.json'), JSON.stringify(relayConfig(relay, chain), null, 2))
  const service = startProcess(name, folder, options.launch?.(index) ?? {})
  shutdown.add(() => service.stop())
  const { nodeKey, hotAccount: hot } = keys
  return { nodeId, nodeKey, multiaddrs: listen, hot, operator, folder, service }
}

function startProcess(name: string, folder: string, launch: Launch): Service {
  const { nodeArgs = [], flags = [], wrapper = [] } = launch
  const config = ['--config', join(folder, 'config.json')]
  return new Service({
    name,
    args: [...nodeArgs, repositoryFile('node/src/cli.ts'), 'start', '--json', ...config, ...flags],
    logFile: join(folder, 'relay.log'),
    wrapper,
  })
}

function relayConfig({ folder, listen, index }: PreparedRelay, chain: Chain) {
  const percent = 100 + PRICE_STEP_PERCENT * ((index % PRICE_STEPS) - (PRICE_STEPS - 1) / 2)
  const priced = (units: number) => Math.round((units * percent) / 100)
  return {
    dataFolder: folder,
    rpcUrl: chain.rpcUrl,
    deploymentFile: chain.deploymentFile,
    listen,
    confirmations: 1,
    pollIntervalMs: POLL_INTERVAL_MS,
    routeUnits: priced(PRICES.routeUnits),
    holdUnitsPerHour: priced(PRICES.holdUnitsPerHour),
    // All relays and clients share one address here.
    maxConnectionsPerSecond: 1_000,
    epochSeconds: 2,
    openedIntervalMs: 500,
  }
}

/** What a relay tells its operator; amounts are decimal strings of base units. */
export type RelayStatusJson = {
  [Name in Exclude<
    keyof RelayStatus,
    'lastClaim' | 'outgoing' | 'watchtowers' | 'earnings'
  >]: RelayStatus[Name] extends bigint ? string : RelayStatus[Name]
}

export async function fetchStatus(relay: RelayProcess): Promise<RelayStatusJson> {
  return (await askRelay(relay, 'GET', '/status')) as RelayStatusJson
}

/** Claims everything the relay was promised; `undefined` when there was nothing. */
export async function claimEarnings(relay: RelayProcess): Promise<Hex | undefined> {
  const { claim } = (await askRelay(relay, 'POST', '/claim')) as { claim: { txHash: Hex } | null }
  return claim?.txHash
}

async function askRelay(relay: RelayProcess, method: string, path: string): Promise<unknown> {
  const admin = await readFile(join(relay.folder, 'admin.json'), 'utf8')
  const { url, token } = JSON.parse(admin) as { url: string; token: string }
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(new URL(path, url), { method, headers })
  if (response.ok) return await response.json()
  const reason = `${relay.service.name} answered ${response.status} to ${method} ${path}`
  throw new MainframeError('INTERNAL', reason)
}
