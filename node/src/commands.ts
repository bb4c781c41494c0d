/** What the commands of `relay` do. They print nothing; the command line does. */
import { mkdir, readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  errorCode,
  fromHex,
  type Hex,
  MainframeError,
  type NodeRow,
  parseMft,
  secretKeyAccount,
  toHex,
} from '@mainframe/protocol'
import type { AuditReport } from './accounts/audit.ts'
import type { EarningsQuery, EarningsReport } from './accounts/earnings.ts'
import { auditFolder, savedEarnings } from './accounts/office.ts'
import { askRelay } from './admin-client.ts'
import { Rpc } from './chain/rpc.ts'
import { TransactionSender } from './chain/transactions.ts'
import type { RelayConfig } from './config.ts'
import { createKeys, loadKeys, type RelayKeys } from './operator/keys.ts'
import { askedPrices, setPrices } from './operator/prices.ts'
import { fetchNode, registerRelay } from './operator/register.ts'
import { otherMedia } from './payments/media.ts'

/** What `init` shows; no secret. */
export interface Identity {
  nodeKey: Hex
  sealKey: Hex
  hotAccount: Hex
}

/** What `register` shows. */
export interface Registered extends Identity {
  nodeId: Hex
  operator: Hex
  /** `null` when it was registered before. */
  transaction: Hex | null
  pricesTransaction: Hex | null
}

export interface RegisterInput {
  /** File with the operator's secret key as 64 hex digits; never an argument. */
  operatorKeyFile: string
  /** MFT, such as "1000". */
  stake: string
}

/** How often to look for a registration that was just mined. */
const LOOK_MS = 100
const LOOKS = 50

/** Creates the keys of a data folder, or shows those it has. */
export async function initRelay(dataFolder: string): Promise<Identity> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 })
  return identityOf(await createKeys(dataFolder))
}

/** Registers the relay and advertises its prices; what is done already is left as it is. */
export async function register(config: RelayConfig, input: RegisterInput): Promise<Registered> {
  const { deployment, pollIntervalMs: pollMs, rpcUrl: url } = config
  const keys = await loadKeys(config.dataFolder)
  const operatorSecret = await readSecret(input.operatorKeyFile)
  const rpc = new Rpc({ url })
  const { nodeId, transactionHash } = await registerRelay({
    rpc,
    deployment,
    operatorSecret,
    keys,
    stakeBase: parseMft(input.stake),
    multiaddrs: announced(config),
    metadata: '',
    pollMs,
  })
  const { chainId } = deployment
  const sender = new TransactionSender({ rpc, chainId, secretKey: keys.hotSecret, pollMs })
  const node = await untilRegistered(rpc, config, nodeId)
  const prices = askedPrices(config)
  const media = otherMedia(config.accept, deployment.token)
  const pricesHash = await setPrices({ rpc, deployment, sender, node, prices, media })
  return {
    ...identityOf(keys),
    nodeId,
    operator: toHex(secretKeyAccount(operatorSecret)),
    transaction: transactionHash ?? null,
    pricesTransaction: pricesHash ?? null,
  }
}

/** What the relay of a data folder earned, whether or not it runs. Errors as `savedEarnings`. */
export async function earnings(dataFolder: string, days: EarningsQuery): Promise<EarningsReport> {
  const query = new URLSearchParams(Object.entries(days).filter(([, day]) => day !== undefined))
  const running = askRelay(dataFolder, `/earnings?${query}`) as Promise<unknown>
  return (await running.catch((cause: unknown) => {
    if (errorCode(cause) === 'CONFIG_INVALID') return savedEarnings(dataFolder, days)
    throw cause
  })) as EarningsReport
}

/**
 * Audits the relay of a data folder, whether or not it runs; the settings are read only if not. Errors
 * as `auditFolder`.
 */
export async function auditRelay(
  dataFolder: string,
  config: () => RelayConfig,
): Promise<AuditReport> {
  const running = askRelay(dataFolder, '/audit', 'POST') as Promise<unknown>
  return (await running.catch((cause: unknown) => {
    if (errorCode(cause) === 'CONFIG_INVALID') return auditFolder(config())
    throw cause
  })) as AuditReport
}

/** A node behind a load balancer may not have the block yet. */
async function untilRegistered(
  rpc: Rpc,
  { deployment }: RelayConfig,
  nodeId: Hex,
): Promise<NodeRow> {
  for (let look = 0; look < LOOKS; look++) {
    const node = await fetchNode(rpc, deployment, nodeId)
    if (node) return node
    await sleep(LOOK_MS)
  }
  throw new MainframeError('CHAIN_UNREACHABLE', 'The chain does not show the registration yet', {
    retryable: true,
  })
}

/** The registry must name addresses that others can dial, so a port that is only known later will not do. */
function announced({ announce, listen }: RelayConfig): readonly string[] {
  const addresses = announce.length > 0 ? announce : listen
  const isOpen = addresses.some((address) => /\/tcp\/0(\/|$)/.test(address))
  if (!isOpen) return addresses
  throw new MainframeError(
    'CONFIG_INVALID',
    'The addresses to register need fixed ports: set listen or announce, such as /ip4/192.0.2.1/tcp/4001',
  )
}

function identityOf({ nodeKey, sealKey, hotAccount }: RelayKeys): Identity {
  return { nodeKey: toHex(nodeKey), sealKey: toHex(sealKey.publicKey), hotAccount }
}

/** Never puts any of the file into an error: it is secret. */
async function readSecret(path: string): Promise<Uint8Array> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new MainframeError('CONFIG_INVALID', `The key file ${path} cannot be read`, { cause })
  })
  const hex = text.trim().replace(/^(0x)?/, '0x')
  if (/^0x[0-9a-fA-F]{64}$/.test(hex)) return fromHex(hex, 32)
  throw new MainframeError('CONFIG_INVALID', `${path} does not hold a key of 64 hex digits`)
}
