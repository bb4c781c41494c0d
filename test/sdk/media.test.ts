import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { COIN_TOKEN, type Hex, MainframeError, toHex } from '@mainframe/protocol'
import { Mainframe, type MainframeOptions, memoryStore } from '@mainframe/sdk'
import type { AuditReport } from '../../node/src/accounts/audit.ts'
import type { EarningsReport } from '../../node/src/accounts/earnings.ts'
import { earningsText } from '../../node/src/accounts/text.ts'
import { askRelay } from '../../node/src/admin-client.ts'
import { startChain, type TestChain } from '../helpers/chain.ts'
import { deployToken, type TestToken } from '../helpers/tokens.ts'
import { until } from '../node/chain-support.ts'
import {
  createTestRelays,
  removeTestRelay,
  startTestRelay,
  statusOf,
  type TestRelay,
} from '../node/support/network.ts'
import { logIndexer } from './support/log-indexer.ts'

/** Base units a unit of postage. */
const COIN_RATE = 350_000n
const DOLLAR_RATE = 2n
const DOLLARS = 10n ** 13n
const COIN = { token: 'coin', mostBaseUnitsPerUnit: COIN_RATE } as const

describe('Clients and relays that pay in what they have', () => {
  let chain: TestChain
  let dollar: TestToken
  let relays: TestRelay[] = []
  const clients: Mainframe[] = []
  let alice: Mainframe
  let bob: Mainframe

  before(async () => {
    chain = await startChain({ intervalMs: 100 })
    dollar = await deployToken(chain, 'DollarToken')
    const coin = { token: 'coin', baseUnitsPerUnit: `${COIN_RATE}` }
    const dollars = { token: dollar.address, baseUnitsPerUnit: `${DOLLAR_RATE}` }
    const payWith = [{ token: 'mft' }, { token: 'coin', mostBaseUnitsPerUnit: `${COIN_RATE}` }]
    relays = await createTestRelays(chain, 3, [
      { accept: [dollars, { token: 'mft' }, coin], payWith },
      { payWith },
      { accept: [coin], payWith: payWith.toReversed() },
    ])
    const running = await Promise.all(relays.map(startTestRelay))
    await Promise.all(running.map(({ ready }) => ready))
    alice = await open({ payWith: COIN })
    const mostBaseUnitsPerUnit = DOLLAR_RATE
    bob = await open({ payWith: { token: dollar.address, mostBaseUnitsPerUnit } })
    await dollar.give(bob.account, DOLLARS)
  })
  after(async () => {
    for (const client of clients) await client.close()
    await Promise.all(relays.map(removeTestRelay))
    await chain?.stop()
  })

  /** A client with coin for gas and not a unit of MFT. */
  async function open(changes: Partial<MainframeOptions>): Promise<Mainframe> {
    const { secretKey } = await chain.createAccount(0n)
    const { rpcUrl, deployment } = chain
    const client = await Mainframe.open({
      network: { rpcUrl, deployment, indexers: ['http://indexer'] },
      account: toHex(secretKey),
      store: memoryStore(),
      fetch: logIndexer(chain),
      hops: 1,
      holdClass: '1h',
      subscriptions: 1,
      ...changes,
    })
    clients.push(client)
    return client
  }

  const nodeIdOf = async (index: number) => (await statusOf(relays[index] as TestRelay)).nodeId

  async function transactionsOf({ account }: Mainframe): Promise<number> {
    return Number(await chain.request('eth_getTransactionCount', [account, 'latest']))
  }

  it('say at once that no relay takes what they pay with, or for no more than they allow', async () => {
    const strange: Hex = `0x${'99'.repeat(20)}`
    for (const payWith of [
      { token: strange, mostBaseUnitsPerUnit: 10n ** 18n },
      { ...COIN, mostBaseUnitsPerUnit: COIN_RATE - 1n },
    ]) {
      const client = await open({ payWith })
      await assert.rejects(client.send(bob.contactCode, Uint8Array.of(1)), (error) => {
        assert.ok(error instanceof MainframeError)
        assert.equal(error.code, 'PAYMENT_NO_MEDIUM')
        assert.match(error.message, /No relay can be paid in 0x[09]{40} at \d+ base units a unit/)
        return true
      })
      await assert.rejects(client.openChannel(), { code: 'PAYMENT_NO_MEDIUM' })
      assert.equal(await transactionsOf(client), 0)
    }
  })

  it('refuse what is no medium', async () => {
    for (const payWith of [
      { token: '0x12', mostBaseUnitsPerUnit: 1n },
      { token: 'coin', mostBaseUnitsPerUnit: 0n },
    ] as const) {
      await assert.rejects(open({ payWith }), { code: 'CONFIG_INVALID', message: /payWith/ })
    }
  })

  it('send and are acknowledged for the coin of the chain alone', async () => {
    const heard = new Promise<string>((resolve) => {
      bob.onMessage(async ({ bytes }) => resolve(new TextDecoder().decode(bytes)))
    })
    const sent = await alice.send(bob.contactCode, new TextEncoder().encode('paid in coin'))
    assert.equal(sent.mostPriceBase, BigInt(sent.packets * sent.postageUnits) * COIN_RATE)
    assert.equal(await heard, 'paid in coin')
    await sent.delivered
    const [channel, ...others] = (await alice.spending()).channels
    assert.ok(channel)
    assert.deepEqual(others, [])
    assert.equal(channel.token, COIN_TOKEN)
    assert.equal(channel.depositBase, 10n ** 9n * COIN_RATE, 'as much as one MFT may cost')
    assert.ok(channel.signedBase >= BigInt(sent.postageUnits) * COIN_RATE)
    assert.ok([await nodeIdOf(0), await nodeIdOf(2)].includes(channel.nodeId), 'one that takes it')
    const { medium, mftBase } = await alice.balance()
    assert.deepEqual([medium.token, mftBase], [COIN_TOKEN, 0n])
    assert.equal(await transactionsOf(alice), 1)
  })

  it('and in a token of 6 decimals, for which nothing has to be approved', async () => {
    const heard = new Promise<string>((resolve) => {
      alice.onMessage(async ({ bytes }) => resolve(new TextDecoder().decode(bytes)))
    })
    const sent = await bob.send(alice.contactCode, new TextEncoder().encode('paid in dollars'))
    assert.equal(await heard, 'paid in dollars')
    await sent.delivered
    const [channel] = (await bob.spending()).channels
    assert.ok(channel)
    assert.deepEqual([channel.token, channel.nodeId], [dollar.address, await nodeIdOf(0)])
    const { medium } = await bob.balance()
    assert.equal(medium.walletBase, DOLLARS - channel.depositBase)
    assert.equal(await transactionsOf(bob), 1)
  })

  it('pay each other in what the other takes, and know what they earned in each', async () => {
    for (const relay of relays) {
      const { links } = await statusOf(relay)
      assert.deepEqual([links.wanted, links.usable], [2, 2])
    }
    const [first, , third] = await Promise.all(relays.map(statusOf))
    assert.ok(first && third)
    assert.deepEqual(Object.keys(first.earnings), [
      chain.deployment.token,
      dollar.address,
      COIN_TOKEN,
    ])
    assert.deepEqual(Object.keys(third.earnings), [COIN_TOKEN])
    assert.ok(BigInt(third.earnings[COIN_TOKEN]?.earnedBase ?? 0) > 0n, 'from the others')
    assert.equal(BigInt(third.earnedBase), 0n, 'and nothing in MFT')
    const { config } = relays[0] as TestRelay
    const [{ signedBase: inDollars } = { signedBase: 0n }] = (await bob.spending()).channels
    await until(async () => {
      const { earnings } = await statusOf(relays[0] as TestRelay)
      return BigInt(earnings[dollar.address]?.earnedBase ?? 0) === inDollars
    })
    const { claim } = await askRelay(config.dataFolder, '/claim', 'POST')
    const { paid } = claim as { paid: Record<Hex, string> }
    assert.equal(BigInt(paid[dollar.address] ?? 0), inDollars)
    await until(async () => (await bob.spending()).channels[0]?.claimedBase === inDollars)
  })

  it('get the rest of a deposit back in what it was made in', async () => {
    const { signedBase = 0n } = (await bob.spending()).channels[0] ?? {}
    const [closed] = await bob.closeChannel()
    assert.equal(closed?.state, 'closed', 'with the consent of its relay')
    assert.equal(await dollar.balanceOf(bob.account), DOLLARS - signedBase)
    const { channels, totalBase } = (await bob.balance()).medium
    assert.deepEqual([channels.depositBase, totalBase], [0n, DOLLARS - signedBase])
  })

  it('leave books that are balanced in each medium by itself', async () => {
    const { config } = relays[0] as TestRelay
    const audited = await askRelay(config.dataFolder, '/audit', 'POST')
    const { balanced, differences, balances } = audited as unknown as AuditReport
    assert.deepEqual([balanced, differences], [true, []])
    const of = (medium: Hex, account: string) =>
      BigInt(balances.find((row) => row.medium === medium && row.account === account)?.base ?? 0)
    assert.ok(of(dollar.address, 'vault') > 0n, 'what was claimed of dollars')
    assert.ok(of(COIN_TOKEN, 'unsigned') > 0n, 'a channel in coin to the third')
    assert.ok(of(chain.deployment.token, 'unsigned') > 0n, 'and one in MFT to the second')
    const report = (await askRelay(config.dataFolder, '/earnings')) as unknown as EarningsReport
    assert.equal(report.mft, chain.deployment.token)
    const earned = report.media.find(({ medium }) => medium === dollar.address)
    const [{ signedBase } = { signedBase: 0n }] = (await alice.spending()).channels
    assert.ok(BigInt(earned?.total.earned ?? 0) > 0n && signedBase > 0n)
    assert.match(earningsText(report), new RegExp(`in base units of ${dollar.address}`))
  })
})
