/** Whole relays on a real chain, each with its own folder, port and links over TCP, and a client. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  BASE_PER_UNIT,
  buildOnion,
  discloseAddress,
  fromHex,
  type Hex,
  inboxAddress,
  type KeyPair,
  LINK_VERSION,
  type Message,
  minutesNow,
  openQuote,
  type PayerChannel,
  PayerLink,
  type PayerLinkHandlers,
  type PostageTable,
  postageTable,
  roundUpExpiry,
  type Shipment,
  toHex,
} from '@mainframe/protocol'
import { freePorts } from '../../../localnet/src/ports.ts'
import { askRelay } from '../../../node/src/admin-client.ts'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { initRelay, register } from '../../../node/src/commands.ts'
import { loadConfig, type RelayConfig } from '../../../node/src/config.ts'
import { Network } from '../../../node/src/links/network.ts'
import { createLogger } from '../../../node/src/log.ts'
import { loadKeys, type RelayKeys } from '../../../node/src/operator/keys.ts'
import { PayerChannels } from '../../../node/src/payments/payer-channels.ts'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'
import { Relay } from '../../../node/src/relay.ts'
import type { RelayStatus } from '../../../node/src/status.ts'
import { Watchtower } from '../../../node/src/watchtower/tower.ts'
import type { TestChain } from '../../helpers/chain.ts'
import { follow, MFT, newFolder, senderOf, until } from '../chain-support.ts'

const CONFIRMATIONS = 1

/** A registered relay, running or not. */
export interface TestRelay {
  config: RelayConfig
  configFile: string
  keys: RelayKeys
  relay: Relay | undefined
  /** What it logged at info level and above. */
  log: string[]
}

/** Initialises, funds and registers a relay by the very commands that an operator uses. */
export async function createTestRelay(
  chain: TestChain,
  port: number,
  changes: object = {},
): Promise<TestRelay> {
  const dataFolder = await newFolder()
  const { hotAccount } = await initRelay(dataFolder)
  await chain.fund(hotAccount, 100n * MFT)
  const operator = await chain.createAccount(1_000n * MFT)
  const operatorKeyFile = join(dataFolder, 'operator.key')
  await writeFile(operatorKeyFile, toHex(operator.secretKey), { mode: 0o600 })
  const configFile = join(dataFolder, 'config.json')
  const settings = {
    dataFolder,
    rpcUrl: chain.rpcUrl,
    deploymentFile: chain.deploymentFile,
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
    confirmations: CONFIRMATIONS,
    pollIntervalMs: 50,
    epochSeconds: 5,
    openedIntervalMs: 200,
    noticeSeconds: 3_600,
    maxConnectionsPerSecond: 1_000,
    logLevel: 'silent',
    ...changes,
  }
  await writeFile(configFile, JSON.stringify(settings))
  const config = loadConfig({ flags: {}, environment: {}, configFile })
  await register(config, { operatorKeyFile, stake: '1000' })
  return { config, configFile, keys: await loadKeys(dataFolder), relay: undefined, log: [] }
}

/** With settings of its own for each that has some. */
export async function createTestRelays(
  chain: TestChain,
  count: number,
  changes: readonly object[] = [],
): Promise<TestRelay[]> {
  const ports = await freePorts(count)
  return await Promise.all(ports.map((port, i) => createTestRelay(chain, port, changes[i])))
}

export async function startTestRelay(relay: TestRelay): Promise<Relay> {
  const log = createLogger('info', { write: (line) => void relay.log.push(line) })
  relay.relay = await Relay.start(relay.config, { log })
  return relay.relay
}

/** Stops it if it runs and removes its folder. */
export async function removeTestRelay({ relay, config }: TestRelay): Promise<void> {
  await relay?.stop()
  await rm(config.dataFolder, { recursive: true })
}

/** A watchtower of this process, in a folder of its own that goes with it. */
export async function startTestTower(chain: TestChain): Promise<Watchtower> {
  const dataFolder = await newFolder()
  const { hotAccount } = await initRelay(dataFolder)
  await chain.fund(hotAccount, 0n)
  const flags = {
    dataFolder,
    rpcUrl: chain.rpcUrl,
    deploymentFile: chain.deploymentFile,
    confirmations: `${CONFIRMATIONS}`,
    pollIntervalMs: '50',
    towerPort: '0',
  }
  const tower = await Watchtower.start(loadConfig({ flags, environment: {} }), {
    log: createLogger('silent'),
  })
  const stop = tower.stop.bind(tower)
  return Object.assign(tower, {
    stop: async () => {
      await stop()
      await rm(dataFolder, { recursive: true, force: true })
    },
  })
}

export async function statusOf({ config }: TestRelay): Promise<RelayStatus> {
  return (await askRelay(config.dataFolder, '/status')) as unknown as RelayStatus
}

type ReachableChain = Pick<TestChain, 'rpcUrl' | 'deployment'>
type Payer = Awaited<ReturnType<TestChain['createAccount']>>
/** What there must be of a relay to find it in the directory. */
type KnownRelay = { keys: Pick<RelayKeys, 'nodeKey'> }

/** A user: an account with MFT, the directory from the chain, and links that it pays for. */
export class TestClient {
  readonly account: Payer['account']
  readonly #chain: ReachableChain
  readonly #network: Network
  readonly #directory: ReturnType<typeof follow>
  readonly #channels: PayerChannels
  readonly #folder: string

  private constructor(
    chain: ReachableChain,
    parts: {
      network: Network
      directory: ReturnType<typeof follow>
      channels: PayerChannels
      folder: string
      account: Payer['account']
    },
  ) {
    this.account = parts.account
    this.#chain = chain
    this.#network = parts.network
    this.#directory = parts.directory
    this.#channels = parts.channels
    this.#folder = parts.folder
  }

  /** A client of a funded account. */
  static async create(chain: ReachableChain, { account, secretKey }: Payer): Promise<TestClient> {
    const folder = await newFolder()
    const directory = follow(chain, account, { confirmations: CONFIRMATIONS })
    await directory.follower.start()
    const { deployment } = chain
    const channels = new PayerChannels({
      rpc: new Rpc({ url: chain.rpcUrl }),
      deployment,
      directory: directory.directory,
      sender: senderOf(chain, secretKey),
      hotSecret: secretKey,
      signed: await openSignedLog(join(folder, 'signed.log')),
      limits: {
        media: [
          {
            token: deployment.token.toLowerCase() as Hex,
            mostBaseUnitsPerUnit: BASE_PER_UNIT,
            depositBase: MFT,
            maxDepositBase: 10n * MFT,
            lowWaterBase: 0n,
            maxDepositedBase: 100n * MFT,
          },
        ],
        noticeSeconds: 3_600,
        maxNoticeSeconds: 86_400,
      },
      onFailure: (error) => assert.fail(String(error)),
    })
    const network = new Network({
      nodeSeed: Uint8Array.from(randomBytes(32)),
      listen: [],
      maxConnections: 50,
      maxConnectionsPerSecond: 50,
    })
    await network.start(() => {})
    return new TestClient(chain, { network, directory, channels, folder, account })
  }

  entry({ keys }: KnownRelay): RelayEntry {
    const entry = this.#directory.directory.byPeerKey(toHex(keys.nodeKey))
    if (!entry) throw new TypeError('the relay is not in the directory')
    return entry
  }

  /** The postage that clients attach while everybody is everybody's neighbour. */
  postage(): PostageTable {
    const relays = [...this.#directory.directory.relays.values()].flatMap(
      ({ prices }) => prices ?? [],
    )
    return postageTable({ relays, destinations: relays.length, luminosity: 0 })
  }

  /** A link without a channel, which is enough to subscribe. */
  async link<S extends Shipment = Shipment>(
    relay: KnownRelay,
    handlers: PayerLinkHandlers<S> = {},
  ) {
    const entry = this.entry(relay)
    const stream = await this.#network.open(entry, AbortSignal.timeout(5_000))
    const link = new PayerLink(stream, handlers)
    const { chainId, channels } = this.#chain.deployment
    const contract = fromHex(channels, 20)
    const hello = await link.handshake({
      version: LINK_VERSION,
      chainId,
      channels: contract,
      signedQuotes: [],
    })
    const domain = { chainId: BigInt(chainId), contract }
    return { link, quote: openQuote(hello.signedQuotes[0] ?? contract, entry.nodeKey, domain) }
  }

  /** A link that is paid for, from a channel that is opened when there is none. */
  async paidLink<S extends Shipment = Shipment>(
    relay: KnownRelay,
    handlers: PayerLinkHandlers<S> = {},
  ): Promise<PayerLink<S>> {
    let channel: PayerChannel | undefined
    const { link, quote } = await this.link(relay, {
      ...handlers,
      // the relay may see the deposit a block later than we do
      onCreditStopped: () => setTimeout(() => channel && link.fund(channel), 50),
    })
    if (!quote) throw new TypeError('the relay did not sign its quote')
    channel = await this.#channels.ensure(this.entry(relay), quote)
    link.fund(channel)
    await until(() => link.creditUnits > 0)
    return link
  }

  /** A packet for an inbox through these relays, and the postage for it. */
  packet(inbox: KeyPair, text: string, hops: readonly TestRelay[] = []) {
    const row = this.postage()['1h']
    const instruction: Message = {
      kind: 'message',
      messageId: Uint8Array.from(randomBytes(16)),
      index: 0,
      count: 1,
      payload: Buffer.from(text),
    }
    const packet = buildOnion({
      header: {
        luminosity: 0,
        address: discloseAddress(inboxAddress(inbox.publicKey), 0),
        expiryMinutes: roundUpExpiry(minutesNow() + 60),
      },
      publicKey: inbox.publicKey,
      instruction,
      hops: hops.map((hop, i) => ({
        address: this.entry(hop).address,
        sealKey: this.entry(hop).sealKey,
        delayMs: 20,
        postageUnits: row[hops.length - 1 - i] ?? 0,
      })),
      nowMinutes: minutesNow(),
    })
    return { packet, postageUnits: row[hops.length] ?? 0, level: 0 }
  }

  async stop(): Promise<void> {
    await this.#network.stop()
    await this.#channels.stop()
    await this.#directory.follower.stop()
    await rm(this.#folder, { recursive: true })
  }
}
