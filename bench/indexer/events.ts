/** Made-up events: two thirds of channels, one third registrations and prices, 50 a block. */
import { randomBytes } from 'node:crypto'
import {
  advanceHead,
  type Deployment,
  decodeLog,
  encodeLogHead,
  encodeSchedule,
  fromHex,
  GENESIS_HEAD,
  type Hex,
  type LogHead,
  nodeIdOf,
  nodeKeyOf,
  paymentChannelsAbi,
  priceBoardAbi,
  type RawLog,
  SERVICE_NAMES,
  serviceId,
  serviceRegistryAbi,
  signRegistration,
  toHex,
  utf8,
} from '@mainframe/protocol'
import { Interface } from 'ethers'

export const BENCH_DEPLOYMENT: Deployment = {
  chainId: 31_337,
  block: 1,
  token: `0x${'aa'.repeat(20)}`,
  registry: `0x${'bb'.repeat(20)}`,
  board: `0x${'cc'.repeat(20)}`,
  channels: `0x${'dd'.repeat(20)}`,
}

export const EVENTS_PER_BLOCK = 50
/** What a block holds; the rest are prices. */
const REGISTERED = 5
const OPENED = 11
const TOPPED_UP = 6
const CLAIMED = 16
const CHANNEL_EVENTS = OPENED + TOPPED_UP + CLAIMED
/** Services and accounts that things are drawn from. */
const SERVICES = [SERVICE_NAMES.route, SERVICE_NAMES.hold, 'other/1'].map((name) =>
  toHex(serviceId(name)),
)
const ACCOUNTS = Array.from({ length: 1_000 }, () => toHex(randomBytes(20)))

type Draft = Pick<RawLog, 'address' | 'topics' | 'data'>

const interfaces = {
  registry: new Interface(serviceRegistryAbi),
  board: new Interface(priceBoardAbi),
  channels: new Interface(paymentChannelsAbi),
} as const
const {
  registry: registryAddress,
  board: boardAddress,
  channels: channelsAddress,
} = BENCH_DEPLOYMENT
const selector = (contract: keyof typeof interfaces, name: string) =>
  interfaces[contract].getEvent(name)?.topicHash as Hex
const SELECTORS = {
  priceSet: selector('board', 'PriceSet'),
  opened: selector('channels', 'Opened'),
  toppedUp: selector('channels', 'ToppedUp'),
  claimed: selector('channels', 'Claimed'),
} as const

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T
/** Words as the ABI has them: everything here is one word, and bytes32 need no padding. */
const words = (...values: readonly (Hex | bigint | number)[]): Hex =>
  `0x${values
    .map((v) => (typeof v === 'string' ? v.slice(2) : v.toString(16)).padStart(64, '0'))
    .join('')}`

export class EventSource {
  readonly #nodes: Hex[] = []
  readonly #channels: Hex[] = []

  /** The logs of a block, and where the verifiable logs stand after it. */
  block(number: number, before: { registry: LogHead; board: LogHead }) {
    let { registry, board } = before
    const logs: Draft[] = []
    for (let i = 0; i < REGISTERED; i++) {
      const [log, head] = continued(registry, number, this.#register())
      registry = head
      logs.push(log)
    }
    for (let i = REGISTERED + CHANNEL_EVENTS; i < EVENTS_PER_BLOCK; i++) {
      const [log, head] = continued(board, number, this.#price())
      board = head
      logs.push(log)
    }
    for (let i = 0; i < OPENED; i++) logs.push(this.#open())
    for (let i = 0; i < TOPPED_UP; i++) {
      const topics = [SELECTORS.toppedUp, pick(this.#channels)]
      logs.push({ address: channelsAddress, topics, data: words(BigInt(number) * 10n ** 15n) })
    }
    for (let i = 0; i < CLAIMED; i++) {
      const topics = [SELECTORS.claimed, pick(this.#channels), words(pick(ACCOUNTS))]
      logs.push({ address: channelsAddress, topics, data: words(BigInt(number) * 10n ** 14n) })
    }
    return { logs, registry, board }
  }

  #register(): (head: Hex) => Draft {
    const [seed, operator] = [randomBytes(32), randomBytes(20)]
    const nodeKey = nodeKeyOf(seed)
    const nodeId = toHex(nodeIdOf(operator, nodeKey))
    this.#nodes.push(nodeId)
    const registry = fromHex(registryAddress)
    const signature = signRegistration(seed, { chainId: 31_337n, registry, operator })
    const record = {
      manager: toHex(operator),
      payee: pick(ACCOUNTS),
      sealKey: toHex(randomBytes(32)),
      multiaddrs: toHex(utf8(`/ip4/10.0.0.1/tcp/4001/p2p/${nodeId.slice(2, 54)}`)),
      metadata: '0x',
    }
    const values = [nodeId, toHex(operator), toHex(nodeKey), record, toHex(signature), 10n ** 21n]
    return (head) => {
      const log = interfaces.registry.encodeEventLog('Registered', [...values, head])
      return { address: registryAddress, topics: log.topics as Hex[], data: log.data as Hex }
    }
  }

  #price(): (head: Hex) => Draft {
    const price = BigInt(1 + Math.floor(Math.random() * 10 ** 9))
    const schedule = encodeSchedule({ price, next: price, nextFrom: 0, unit: 1, active: true })
    const topics = [SELECTORS.priceSet, pick(this.#nodes)]
    const service = pick(SERVICES)
    return (head) => ({
      address: boardAddress,
      topics,
      data: words(service, BENCH_DEPLOYMENT.token, schedule, head),
    })
  }

  #open(): Draft {
    const channel = toHex(randomBytes(32))
    this.#channels.push(channel)
    const [payer, payee] = [pick(ACCOUNTS), pick(ACCOUNTS)]
    return {
      address: channelsAddress,
      topics: [SELECTORS.opened, channel, words(payer), words(payee)],
      data: words(BENCH_DEPLOYMENT.token, payer, 86_400, 1, 10n ** 18n),
    }
  }
}

/** The head covers the event's content, so the event is read once before its head is known. */
function continued(
  head: LogHead,
  number: number,
  draft: (head: Hex) => Draft,
): [log: Draft, head: LogHead] {
  const blank = draft(encodeLogHead(GENESIS_HEAD))
  const place = { blockNumber: words(number), blockHash: '0x', logIndex: '0x0' } as const
  const event = decodeLog({ ...blank, ...place, transactionHash: '0x' }, BENCH_DEPLOYMENT)
  if (!event || !('seq' in event)) throw new TypeError('A made-up event does not decode')
  const next = advanceHead(head, event)
  return [draft(encodeLogHead(next)), next]
}
