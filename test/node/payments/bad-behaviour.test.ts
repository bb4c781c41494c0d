/**
 * Those who do not pay a relay as they should, and relays that do not serve whom it pays: a whole
 * relay, real links, a real chain. Each has a name on the wire, a counter, and gets nothing.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  type Credit,
  encodeCredit,
  fromHex,
  minutesNow,
  roundUpExpiry,
  toHex,
} from '@mainframe/protocol'
import type { ChainDirectory, RelayEntry } from '../../../node/src/chain/directory.ts'
import type { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { Network } from '../../../node/src/links/network.ts'
import { setPrices } from '../../../node/src/operator/prices.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { follow, MFT, senderOf, until } from '../chain-support.ts'
import {
  createTestRelays,
  removeTestRelay,
  startTestRelay,
  statusOf,
  type TestRelay,
} from '../support/network.ts'
import { RawPayer } from '../support/payee-world.ts'
import { inboxPacket } from '../support/rule-world.ts'
import { HostilePayee } from './hostile-payee.ts'
import { createPayer, creditOf, deposit, exit, type Payer } from './support.ts'

/** Of blocks that are mined by themselves. */
const BLOCK_MS = 50
/** The smallest that the relay takes seriously: ten of its windows. */
const DEPOSIT = MFT / 10n
const DEPOSIT_UNITS = 100_000_000
const WINDOW_UNITS = 10_000_000
/** Enough for what the relay asks, and what it must pay its neighbour. */
const POSTAGE = 3_000
const FLOOD = 200
const LINKS_PER_PEER = 4

let chain: TestChain
let relay: TestRelay
let hostile: HostilePayee
let observer: { directory: ChainDirectory; follower: ChainFollower }
const relays: TestRelay[] = []
const networks: Network[] = []
const links: RawPayer[] = []
/** How many channels the relay paid at each of its links to the hostile one. */
const channelsAtLinks: number[] = []

before(async () => {
  chain = await startChain({ intervalMs: BLOCK_MS })
  relays.push(...(await createTestRelays(chain, 2)))
  const [first, second] = relays
  assert.ok(first && second)
  relay = first
  observer = follow(chain, relay.keys.hotAccount, { confirmations: 1 })
  await observer.follower.start()
  await until(() => entryOrNone(second)?.prices !== undefined)
  const { routeUnits = 0 } = entryOf(second).prices ?? {}
  hostile = await HostilePayee.start({
    relay: second,
    entry: () => entryOf(second),
    quotes: [
      { expiresAtSeconds: Math.floor(Date.now() / 1000) - 1 },
      { routeUnits: routeUnits + 1 },
    ],
    onLink: () => void channelsAtLinks.push(channelsToPeer().length),
  })
  relay.config = Object.freeze({ ...relay.config, answerTimeoutSeconds: 1 })
  await startTestRelay(relay)
  // a test below takes blocks back: not those with the relay's own deposit
  await until(async () => (await statusOf(relay)).links.usable === 1, 30_000)
})
afterEach(() => {
  for (const link of links.splice(0)) link.abort()
})
after(async () => {
  await Promise.all(networks.map((network) => network.stop()))
  await Promise.all(relays.map(removeTestRelay))
  await hostile?.stop()
  await observer?.follower.stop()
  await chain?.stop()
})

const entryOrNone = ({ keys }: TestRelay) => observer.directory.byPeerKey(toHex(keys.nodeKey))
const entryOf = (of: TestRelay): RelayEntry => entryOrNone(of) ?? assert.fail('it is not listed')

/** What the relay pays, as confirmed. */
const channelsToPeer = () =>
  [...observer.directory.channels.values()].filter(({ payer }) => payer === relay.keys.hotAccount)

/** A payer with an identity of its own, who has said HELLO. */
async function meet(network?: Network): Promise<RawPayer> {
  const { chainId, channels } = chain.deployment
  const payer = await knock(network)
  payer.hello({ chainId, channels: fromHex(channels, 20) })
  return payer
}

async function knock(network?: Network): Promise<RawPayer> {
  const client = network ?? (await newNetwork())
  const payer = new RawPayer(await client.open(entryOf(relay), AbortSignal.timeout(10_000)))
  links.push(payer)
  return payer
}

async function newNetwork(): Promise<Network> {
  const nodeSeed = Uint8Array.from(randomBytes(32))
  const limits = { maxConnections: 10, maxConnectionsPerSecond: 10 }
  const network = new Network({ nodeSeed, listen: [], ...limits })
  networks.push(network)
  await network.start(() => {})
  return network
}

/** A payer's account with a channel that the relay has confirmed. */
async function paying(amount = DEPOSIT): Promise<Payer> {
  const payer = await createPayer(chain, 10n * MFT)
  await deposit(chain, payer, { payee: relay.keys.hotAccount, amount })
  await confirmed()
  return payer
}

/** Until the relay has seen all that is mined so far. */
async function confirmed(): Promise<void> {
  const head = Number(await chain.request('eth_blockNumber'))
  await until(() => observer.directory.confirmedBlock >= head)
  await until(async () => (await metric('chain_block')) >= head)
}

const voucher = (payer: Payer, units: number, rest: { epoch?: number; notice?: number } = {}) =>
  creditOf(chain, payer, { payee: relay.keys.hotAccount, units, ...rest })

/** Says it on a link of its own; the verdict, when packets on it are refused and nothing is gained. */
async function judged(credit: Credit | Uint8Array): Promise<string> {
  const before = await statusOf(relay)
  const link = await meet()
  link.credit(credit instanceof Uint8Array ? credit : encodeCredit(credit))
  const outcome = await link.verdict()
  link.packet(freshPacket(), POSTAGE)
  assert.equal(await link.refusal(), 'no-credit')
  const now = await statusOf(relay)
  assert.equal(now.vouchers[outcome], (before.vouchers[outcome] ?? 0) + 1, 'the voucher is counted')
  assert.equal(now.outcomes['no-credit'], (before.outcomes['no-credit'] ?? 0) + 1)
  assert.equal(now.carried, before.carried, 'nothing is carried')
  assert.equal(now.debitedUnits, before.debitedUnits)
  assert.equal(now.earnedBase, before.earnedBase, 'nothing is earned')
  return outcome
}

/** A link on which that many units were accepted. */
async function paidLink(payer: Payer, units: number, network?: Network): Promise<RawPayer> {
  const link = await meet(network)
  link.credit(encodeCredit(voucher(payer, units)))
  assert.equal(await link.verdict(), 'accepted')
  return link
}

const freshPacket = () => inboxPacket('', roundUpExpiry(minutesNow() + 60))

/** One of the relay's own metrics, as its operator reads it. */
async function metric(name: string, outcome?: string): Promise<number> {
  const text = await readFile(join(relay.config.dataFolder, 'admin.json'), 'utf8')
  const { url, token } = JSON.parse(text) as { url: string; token: string }
  const headers = { authorization: `Bearer ${token}` }
  const metrics = await (await fetch(`${url}/metrics`, { headers })).text()
  const label = outcome === undefined ? '' : `{outcome="${outcome}"}`
  const line = metrics
    .split('\n')
    .find((each) => each.startsWith(`mainframe_relay_${name}${label} `))
  return line === undefined ? assert.fail(`no metric ${name}${label}`) : Number(line.split(' ')[1])
}

describe('A relay that is paid with', () => {
  it('a forged voucher, or one for another chain, finds a bad signature', async () => {
    const payer = await paying()
    const forger = { ...payer, secretKey: Uint8Array.from(randomBytes(32)) }
    assert.equal(await judged(voucher(forger, 5_000)), 'bad-signature')
    const elsewhere = { ...chain, deployment: { ...chain.deployment, chainId: 1 } }
    const foreign = creditOf(elsewhere, payer, { payee: relay.keys.hotAccount, units: 5_000 })
    assert.equal(await judged(foreign), 'bad-signature')
  })

  it('a voucher that was accepted before, or a lower one, finds it not greater', async () => {
    const payer = await paying()
    const owner = await paidLink(payer, 2 * POSTAGE)
    assert.equal(await judged(voucher(payer, 2 * POSTAGE)), 'not-greater')
    assert.equal(await judged(voucher(payer, POSTAGE)), 'not-greater')
    owner.packet(freshPacket(), POSTAGE)
    assert.equal(await owner.refusal(), undefined, 'the credit stays where it was')
  })

  it('more than was deposited, or than fits a window, finds it over', async () => {
    const payer = await paying()
    assert.equal(await judged(voucher(payer, DEPOSIT_UNITS + 1)), 'over-deposit')
    assert.equal(await judged(voucher(payer, WINDOW_UNITS + 1)), 'over-window')
  })

  it('a voucher of another epoch, or with other terms, finds it wrong', async () => {
    const payer = await paying()
    assert.equal(await judged(voucher(payer, 5_000, { epoch: 2 })), 'wrong-epoch')
    assert.equal(await judged(voucher(payer, 5_000, { notice: 3_599 })), 'wrong-terms')
    const otherToken = { ...voucher(payer, 5_000), token: new Uint8Array(20) }
    assert.equal(await judged(otherToken), 'wrong-terms')
  })

  it('what is no voucher finds it malformed', async () => {
    assert.equal(await judged(new Uint8Array(2_048).fill(0xff)), 'malformed')
  })

  it('a voucher on dust finds the deposit small', async () => {
    assert.equal(await judged(voucher(await paying(DEPOSIT - 1n), 5_000)), 'small-deposit')
  })

  it('a voucher on a channel that is being closed refuses it, and claims what it has', async () => {
    const payer = await paying()
    await paidLink(payer, 5_000)
    await exit(chain, payer, { payee: relay.keys.hotAccount, method: 'requestClose' })
    await until(async () => (await statusOf(relay)).unclaimedBase.toString() === '0')
    const before = (await statusOf(relay)).earnedBase
    const link = await meet()
    link.credit(encodeCredit(voucher(payer, 6_000)))
    assert.equal(await link.verdict(), 'closing')
    assert.equal((await statusOf(relay)).earnedBase, before)
  })

  it('a voucher on a deposit that a reorganisation removes never believed in it', async () => {
    const payer = await createPayer(chain, 10n * MFT)
    await chain.request('evm_setIntervalMining', [0])
    await chain.request('evm_setAutomine', [true])
    const snapshot = await chain.snapshot()
    await deposit(chain, payer, { payee: relay.keys.hotAccount, amount: DEPOSIT })
    assert.equal(await judged(voucher(payer, 5_000)), 'unknown-channel')
    await chain.revert(snapshot)
    await chain.mine(3)
    await chain.request('evm_setAutomine', [false])
    await chain.request('evm_setIntervalMining', [BLOCK_MS])
    await confirmed()
    assert.equal(await judged(voucher(payer, 5_000)), 'unknown-channel')
  })
})

describe('A relay whose payer', () => {
  it('speaks for another chain ends the link', async () => {
    const before = await metric('link_faults_total', 'wrong-network')
    const stranger = await knock()
    stranger.hello({ chainId: 1, channels: fromHex(chain.deployment.channels, 20) })
    await stranger.ended
    assert.equal(await metric('link_faults_total', 'wrong-network'), before + 1)
  })

  it('stops paying serves what was prepaid, and not one packet more', async () => {
    const payer = await paying()
    const link = await paidLink(payer, 2 * POSTAGE)
    const before = await statusOf(relay)
    for (let i = 0; i < 2; i++) link.packet(freshPacket(), POSTAGE)
    assert.equal(await link.refusal(), undefined)
    for (let i = 0; i < 10; i++) link.packet(freshPacket(), POSTAGE)
    assert.equal(await link.refusal(), 'no-credit')
    const now = await statusOf(relay)
    assert.equal(now.carried, before.carried + 2)
    assert.equal(now.debitedUnits, before.debitedUnits + 2 * POSTAGE)
    const counted = await metric('packets_total', 'no-credit')
    assert.equal(counted, (before.outcomes['no-credit'] ?? 0) + 10)
  })

  it('floods it with vouchers looks at one of a link at a time, and at those of others as ever', async () => {
    const [flooder, bystander] = [await paying(), await paying()]
    const network = await newNetwork()
    const before = await statusOf(relay)
    const flooding = await Promise.all(Array.from({ length: LINKS_PER_PEER }, () => meet(network)))
    const forger = { ...flooder, secretKey: Uint8Array.from(randomBytes(32)) }
    flooding.forEach((link, i) => {
      for (let j = 0; j < FLOOD; j++) {
        const units = 1 + i + LINKS_PER_PEER * j
        link.credit(encodeCredit(voucher(j % 2 === 0 ? forger : flooder, units)))
      }
    })
    const other = await paidLink(bystander, POSTAGE)
    other.packet(freshPacket(), POSTAGE)
    assert.equal(await other.refusal(), undefined)
    await Promise.all(flooding.map((link) => link.verdict()))
    const now = await statusOf(relay)
    const counted = (outcome: string) =>
      (now.vouchers[outcome] ?? 0) - (before.vouchers[outcome] ?? 0)
    const sum = ['accepted', 'bad-signature', 'not-greater', 'busy'].reduce(
      (total, outcome) => total + counted(outcome),
      0,
    )
    assert.equal(sum, LINKS_PER_PEER * FLOOD + 1, 'each is judged')
    assert.ok(
      counted('busy') > LINKS_PER_PEER * FLOOD * 0.5,
      `${counted('busy')} were not looked at`,
    )
  })

  it('goes on with a price that was raised in mid-window is served while its quote holds, then is underpaid, and told so', async () => {
    const { routeUnits } = relay.config
    const low = routeUnits / 2 // pays for a packet at the low price alone
    await ask({ routeUnits: routeUnits / 100 })
    const quoted = await paidLink(await paying(), 200 * POSTAGE)
    await ask({ routeUnits })
    quoted.packet(freshPacket(), low)
    assert.equal(await quoted.refusal(), undefined, 'prepaid at the price of its quote')
    const link = await paidLink(await paying(), 200 * POSTAGE) // the quote of now
    const before = await statusOf(relay)
    link.packet(freshPacket(), low)
    assert.equal(await link.refusal(), 'underpaid')
    const now = await statusOf(relay)
    assert.equal(now.debitedUnits, before.debitedUnits, 'what was prepaid stays')
    assert.equal(
      await metric('packets_total', 'underpaid'),
      (before.outcomes['underpaid'] ?? 0) + 1,
    )
    link.packet(freshPacket(), POSTAGE)
    assert.equal(await link.refusal(), undefined)
  })

  /** Sets the relay's price and waits until it is in force. */
  async function ask({ routeUnits }: { routeUnits: number }): Promise<void> {
    const { deployment, rpcUrl } = chain
    const { holdUnitsPerHour } = relay.config
    await setPrices({
      rpc: new Rpc({ url: rpcUrl }),
      deployment,
      sender: senderOf(chain, relay.keys.hotSecret),
      node: entryOf(relay).row,
      prices: { routeUnits, holdUnitsPerHour },
    })
    await until(() => entryOf(relay).prices?.routeUnits === routeUnits)
    await confirmed()
  }
})

describe('A relay that pays one', () => {
  const failures = (outcome: string) => metric('peer_failures_total', outcome)

  it('whose quote has expired, or is above its price on the board, opens no channel', async () => {
    assert.deepEqual(channelsAtLinks, [0, 0, 0])
    assert.equal(await failures('bad-quote'), 2)
    assert.equal(channelsToPeer().length, 1, 'one for the good quote')
  })

  it('that is paid and stops serving leaves it, having lost what some packets cost', async () => {
    const payer = await paying()
    const link = await paidLink(payer, 20 * POSTAGE)
    const { account } = hostile
    hostile.isSilent = true
    const spentBefore = account.spentUnits
    for (let i = 0; i < 4; i++) link.packet(freshPacket(), POSTAGE)
    assert.equal(await link.refusal(), undefined, 'others are served')
    await until(() => account.spentUnits > spentBefore)
    assert.equal(await failures('silent'), 0)
    await until(async () => (await failures('silent')) > 0)
    const lostUnits = account.durableUnits - spentBefore
    assert.ok(lostUnits < 40 * POSTAGE, `${lostUnits} units of a window of ${WINDOW_UNITS}`)
    await until(async () => (await statusOf(relay)).queues.owed > 0)
  })
})
