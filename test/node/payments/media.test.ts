import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  COIN_TOKEN,
  fromHex,
  type Hex,
  type PayerChannel,
  type Quote,
  signDigest,
  voucherDigest,
} from '@mainframe/protocol'
import { callView, channelsContract, erc20Contract } from '../../../node/src/chain/contracts.ts'
import type { ChainDirectory, RelayEntry } from '../../../node/src/chain/directory.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { setPrices } from '../../../node/src/operator/prices.ts'
import { type ClaimResult, Claims, type ClaimsOptions } from '../../../node/src/payments/claims.ts'
import { COIN_KEPT_BASE } from '../../../node/src/payments/deposits.ts'
import type { PayingMedium } from '../../../node/src/payments/media.ts'
import { PayerChannels } from '../../../node/src/payments/payer-channels.ts'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { deployToken, type TestToken } from '../../helpers/tokens.ts'
import { createRelay, follow, MFT, newFolder, type TestRelay, until } from '../chain-support.ts'
import {
  createPayer,
  DEPTH,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
} from './support.ts'

/** Of blocks beside those of transactions. */
const BLOCK_MS = 40
/** Base units a unit of postage. */
const COIN_RATE = 350_000n
const DOLLAR_RATE = 2n
/** Units of a deposit. */
const DEPOSIT_UNITS = 1_000_000n
const PRICES = { routeUnits: 1_000, holdUnitsPerHour: 50 }

let chain: TestChain
/** 6 decimals, with permits. */
let dollar: TestToken
/** Nothing but an ERC-20. */
let plain: TestToken
const relays: TestRelay[] = []
const stops: (() => Promise<unknown>)[] = []

before(async () => {
  chain = await startChain()
  dollar = await deployToken(chain, 'DollarToken')
  plain = await deployToken(chain, 'HonestToken')
  for (let i = 0; i < 3; i++) {
    const relay = await createRelay(chain, { mft: 0n })
    await advertise(relay)
    relays.push(relay)
  }
  await chain.passTime(2)
  await chain.request('evm_setIntervalMining', [BLOCK_MS])
})
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})
after(() => chain?.stop())

const rates = () =>
  [
    [COIN_TOKEN, COIN_RATE],
    [dollar.address, DOLLAR_RATE],
    [plain.address, DOLLAR_RATE],
  ] as const

async function advertise({ node, sender }: TestRelay): Promise<void> {
  const { deployment, rpcUrl: url } = chain
  const media = rates().map(([token, baseUnitsPerUnit]) => ({ token, baseUnitsPerUnit }))
  await setPrices({ rpc: new Rpc({ url }), deployment, sender, node, prices: PRICES, media })
}

/** What a test pays with: MFT first, and at no higher rate than the relays ask. */
function payWith(): PayingMedium[] {
  return [[chain.deployment.token, UNIT] as const, ...rates()].map(([token, rate]) => ({
    token,
    mostBaseUnitsPerUnit: rate,
    depositBase: DEPOSIT_UNITS * rate,
    maxDepositBase: 10n * DEPOSIT_UNITS * rate,
    lowWaterBase: 0n,
    maxDepositedBase: 1_000n * DEPOSIT_UNITS * rate,
  }))
}

/** A relay that pays, as a process would have it. */
interface Paying {
  payer: Payer
  directory: ChainDirectory
  channels: PayerChannels
}

async function start({ tokens = [dollar, plain] } = {}): Promise<Paying> {
  const payer = await createPayer(chain)
  for (const token of tokens) await token.give(payer.account, 100n * DEPOSIT_UNITS)
  const { deployment } = chain
  const media = rates().map(([token]) => token)
  const options = { confirmations: DEPTH, media }
  const { directory, follower } = follow(chain, payer.account, options)
  await follower.start()
  const signed = await openSignedLog(join(await newFolder(), 'signed.log'))
  const channels = new PayerChannels({
    rpc: new Rpc({ url: chain.rpcUrl }),
    deployment,
    directory,
    sender: payer.sender,
    hotSecret: payer.secretKey,
    signed,
    limits: { media: payWith(), noticeSeconds: NOTICE_SECONDS, maxNoticeSeconds: NOTICE_SECONDS },
    confirmTimeoutMs: 20_000,
    onFailure: (error) => assert.fail(String(error)),
  })
  stops.push(
    () => signed.close(),
    () => follower.stop(),
    () => channels.stop(),
  )
  return { payer, directory, channels }
}

function peerOf({ directory }: Paying, index = 0): RelayEntry {
  const entry = directory.relays.get(relays[index]?.node.nodeId ?? '0x')
  assert.ok(entry)
  return entry
}

function quoteOf(peer: RelayEntry, token: Hex, changes: Partial<Quote> = {}): Quote {
  const rate = payWith().find((medium) => medium.token === token)?.mostBaseUnitsPerUnit ?? 1n
  return {
    nodeId: peer.nodeId,
    payee: fromHex(peer.row.payee),
    token: fromHex(token),
    ...PRICES,
    minDepositBase: rate,
    noticeSeconds: 3_600,
    maxWindowUnits: 16_000,
    confirmations: DEPTH,
    baseUnitsPerUnit: rate,
    expiresAtSeconds: Math.floor(Date.now() / 1000) + 600,
    ...changes,
  }
}

async function nonceOf({ account }: Payer): Promise<number> {
  return Number(await chain.request('eth_getTransactionCount', [account, 'latest']))
}

async function coinOf({ account }: Payer): Promise<bigint> {
  return BigInt(await chain.request<Hex>('eth_getBalance', [account, 'latest']))
}

async function allowanceOf(token: TestToken, { account }: Payer): Promise<bigint> {
  const args = [account, chain.deployment.channels]
  const call = { to: token.address, contract: erc20Contract, method: 'allowance', args }
  return (await callView(new Rpc({ url: chain.rpcUrl }), call))[0]
}

async function vaultsOf(account: Hex, tokens: readonly Hex[]): Promise<bigint[]> {
  const [balances] = await callView(new Rpc({ url: chain.rpcUrl }), {
    to: chain.deployment.channels,
    contract: channelsContract,
    method: 'vaults',
    args: [tokens, account],
  })
  return [...balances]
}

describe('a channel in another medium than MFT', () => {
  it('is not opened on a quote above the board’s price of that token, above our own bound, or that has expired', async () => {
    const paying = await start()
    const peer = peerOf(paying)
    assert.deepEqual(
      peer.rates,
      new Map([[chain.deployment.token, UNIT] as const, ...rates()]),
      'what the board says in each',
    )
    const faults: [Hex, Partial<Quote>, RegExp][] = [
      [COIN_TOKEN, { baseUnitsPerUnit: COIN_RATE + 1n }, /above what the board says in that token/],
      // the price alone would fit: half the units at twice the rate
      [
        COIN_TOKEN,
        { baseUnitsPerUnit: 2n * COIN_RATE, routeUnits: 500, holdUnitsPerHour: 25 },
        /above what the board says in that token/,
      ],
      [dollar.address, { routeUnits: 1_001 }, /its route price is above the board/],
      [dollar.address, { holdUnitsPerHour: 51 }, /its hold price is above the board/],
      [COIN_TOKEN, { expiresAtSeconds: 1 }, /it has expired/],
      [
        COIN_TOKEN,
        { minDepositBase: 100n * DEPOSIT_UNITS * COIN_RATE },
        /a larger deposit than we/,
      ],
      [`0x${'99'.repeat(20)}`, {}, /a token that payWith does not name/],
    ]
    for (const [token, changes, expected] of faults) {
      const ensured = paying.channels.ensure(peer, quoteOf(peer, token, changes))
      await assert.rejects(ensured, { code: 'PAYMENT_UNVERIFIED', message: expected })
    }
    assert.equal(await nonceOf(paying.payer), 0)
  })

  it('is not opened in the coin that is needed for gas, nor without the token', async () => {
    const paying = await start({ tokens: [] })
    const { account } = paying.payer
    const left = `0x${(COIN_KEPT_BASE + DEPOSIT_UNITS * COIN_RATE - 1n).toString(16)}`
    await chain.request('hardhat_setBalance', [account, left])
    const peer = peerOf(paying)
    const coin = paying.channels.ensure(peer, quoteOf(peer, COIN_TOKEN))
    await assert.rejects(coin, {
      code: 'PAYMENT_INSUFFICIENT',
      message: /base units of 0x0{40} left/,
    })
    await dollar.give(account, DEPOSIT_UNITS * DOLLAR_RATE - 1n)
    const dollars = paying.channels.ensure(peer, quoteOf(peer, dollar.address))
    await assert.rejects(dollars, { code: 'PAYMENT_INSUFFICIENT' })
    assert.equal(await nonceOf(paying.payer), 0)
  })

  it('in the coin takes one transaction to open and one to top up, and several are opened by one deposit', async () => {
    const paying = await start()
    const [peer, ...others] = [0, 1, 2].map((index) => peerOf(paying, index))
    assert.ok(peer)
    const quote = quoteOf(peer, COIN_TOKEN)
    const channel = await paying.channels.ensure(peer, quote)
    assert.equal(await nonceOf(paying.payer), 1)
    assert.equal(channel.depositBase, DEPOSIT_UNITS * COIN_RATE)
    assert.equal(channel.windowUnits, 15_000, 'units are the same in every medium')
    channel.signedBase = channel.depositBase
    assert.equal(
      (await paying.channels.topUp(peer, quote)).depositBase,
      2n * DEPOSIT_UNITS * COIN_RATE,
    )
    assert.equal(await nonceOf(paying.payer), 2)
    const second = await start()
    await Promise.all(
      [peer, ...others].map((each) => second.channels.ensure(each, quoteOf(each, COIN_TOKEN))),
    )
    assert.equal(await nonceOf(second.payer), 2, 'deposit and openFromVault')
    assert.deepEqual(await vaultsOf(second.payer.account, [COIN_TOKEN]), [0n])
  })

  it('in a token with permits takes one transaction each, and leaves no approval', async () => {
    const paying = await start()
    const peer = peerOf(paying)
    const quote = quoteOf(peer, dollar.address)
    const channel = await paying.channels.ensure(peer, quote)
    assert.equal(channel.depositBase, DEPOSIT_UNITS * DOLLAR_RATE)
    channel.signedBase = channel.depositBase
    await paying.channels.topUp(peer, quote)
    assert.equal(channel.depositBase, 2n * DEPOSIT_UNITS * DOLLAR_RATE)
    assert.equal(await nonceOf(paying.payer), 2)
    assert.equal(await allowanceOf(dollar, paying.payer), 0n)
  })

  it('in MFT is topped up by a permit as well', async () => {
    const paying = await start()
    const peer = peerOf(paying)
    const quote = quoteOf(peer, chain.deployment.token)
    const channel = await paying.channels.ensure(peer, quote)
    channel.signedBase = channel.depositBase
    await paying.channels.topUp(peer, quote)
    assert.equal(await nonceOf(paying.payer), 2)
  })

  it('in a token that knows no permits is approved once', async () => {
    const paying = await start()
    const [peer, other] = [peerOf(paying, 0), peerOf(paying, 1)]
    await paying.channels.ensure(peer, quoteOf(peer, plain.address))
    assert.equal(await nonceOf(paying.payer), 2, 'approve and open')
    await paying.channels.ensure(other, quoteOf(other, plain.address))
    assert.equal(await nonceOf(paying.payer), 3)
  })

  it('is another one in each medium, and is found again in its own', async () => {
    const paying = await start()
    const peer = peerOf(paying)
    const tokens = [chain.deployment.token, COIN_TOKEN, dollar.address]
    const open = () =>
      Promise.all(tokens.map((token) => paying.channels.ensure(peer, quoteOf(peer, token))))
    const opened = await open()
    assert.equal(new Set(opened).size, 3)
    assert.equal(await nonceOf(paying.payer), 3)
    assert.deepEqual(await open(), opened)
    assert.equal(await nonceOf(paying.payer), 3)
  })

  it('is refused when a rate so low would make more units of what was signed than anybody counts', async () => {
    const paying = await start()
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer, COIN_TOKEN))
    channel.signedBase = 2n ** 60n
    await assert.rejects(
      paying.channels.ensure(peer, quoteOf(peer, COIN_TOKEN, { baseUnitsPerUnit: 1n })),
      { code: 'PAYMENT_UNVERIFIED', message: /its unit is too small/ },
    )
  })
})

describe('earnings in several media', () => {
  const tokens = () => [chain.deployment.token, COIN_TOKEN, dollar.address]

  async function payeeOf(relay: TestRelay | undefined, media: readonly Hex[], before?: Payee) {
    assert.ok(relay)
    const { hotAccount: account, hotSecret: secretKey } = relay.keys
    const folder = before?.folder ?? (await newFolder())
    const accepted = payWith().filter(({ token }) => media.includes(token))
    const payee = await startPayee(
      chain,
      { account, secretKey, folder },
      {
        media: accepted.map(({ token, mostBaseUnitsPerUnit: baseUnitsPerUnit }) => {
          return { token, baseUnitsPerUnit, minDepositBase: baseUnitsPerUnit }
        }),
      },
    )
    stops.push(payee.stop)
    return payee
  }

  function claimsOf(
    { directory, sender, vouchers }: Payee,
    options: Pick<ClaimsOptions, 'thresholdOf' | 'onClaimed'>,
  ): Claims {
    const { rpcUrl, deployment } = chain
    const rpc = new Rpc({ url: rpcUrl })
    const never = { maxAgeMs: 10 ** 9, checkMs: 10 }
    const claims = new Claims({
      rpc,
      deployment,
      directory,
      sender,
      vouchers,
      ...never,
      ...options,
    })
    stops.push(() => claims.stop())
    return claims
  }

  /** Channels in every medium, each with a voucher over so many units. */
  async function pay(payee: Payee, index: number, units: readonly number[]): Promise<void> {
    const paying = await start()
    const peer = peerOf(paying, index)
    const longNotice = { noticeSeconds: NOTICE_SECONDS }
    for (const [i, token] of tokens().entries()) {
      const channel = await paying.channels.ensure(peer, quoteOf(peer, token, longNotice))
      await until(() => payee.directory.channels.has(idOf(channel)))
      const { outcome } = await payee.ledger.offer(voucherOf(channel, units[i] ?? 0), {})
      assert.equal(outcome, 'accepted')
    }
  }

  it('are claimed token by token when there is enough of one, into its own vault', async () => {
    const payee = await payeeOf(relays[1], tokens())
    const results: ClaimResult[] = []
    const claims = claimsOf(payee, {
      thresholdOf: (token) => (token === dollar.address ? 600n * DOLLAR_RATE : 10n ** 30n),
      onClaimed: (result) => results.push(result),
    })
    claims.start()
    await pay(payee, 1, [500, 600, 700])
    await until(() => results.length > 0)
    assert.deepEqual(results[0]?.paid, { [dollar.address]: 700n * DOLLAR_RATE })
    assert.deepEqual(await vaultsOf(payee.account, tokens()), [0n, 0n, 700n * DOLLAR_RATE])
    const rest = await claims.claimNow()
    assert.equal(rest?.txHashes.length, 2, 'a batch is of one token')
    assert.deepEqual(rest?.paid, {
      [chain.deployment.token]: 500n * UNIT,
      [COIN_TOKEN]: 600n * COIN_RATE,
    })
    await payee.confirm()
    const earned = payee.ledger.earned()
    assert.deepEqual(
      tokens().map((token) => earned[token]?.claimedBase),
      [500n * UNIT, 600n * COIN_RATE, 700n * DOLLAR_RATE],
    )
  })

  it('are not lost in a medium that is no longer accepted, while its vouchers are refused', async () => {
    const first = await payeeOf(relays[2], tokens())
    await pay(first, 2, [500, 600, 700])
    await first.stop()
    const second = await payeeOf(relays[2], [chain.deployment.token], first)
    const unclaimed = second.ledger.earned()[COIN_TOKEN]?.unclaimedBase
    assert.equal(unclaimed, 600n * COIN_RATE)
    const paying = await start()
    const peer = peerOf(paying, 2)
    const channel = await paying.channels.ensure(peer, quoteOf(peer, COIN_TOKEN))
    const { outcome } = await second.ledger.offer(voucherOf(channel, 10), {})
    assert.equal(outcome, 'wrong-terms')
    const result = await claimsOf(second, { thresholdOf: () => 0n }).claimNow()
    assert.equal(result?.paid[COIN_TOKEN], 600n * COIN_RATE)
    assert.equal(result?.paid[dollar.address], 700n * DOLLAR_RATE)
  })

  it('pay for channels in the same medium from the vault', async () => {
    const paying = await start()
    const { sender, account } = paying.payer
    const { channels } = chain.deployment
    const amount = DEPOSIT_UNITS * COIN_RATE
    const data = channelsContract.encodeFunctionData('deposit', [COIN_TOKEN, amount]) as Hex
    await sender.send({ to: channels, data, what: 'deposit', valueBase: amount })
    const before = await coinOf(paying.payer)
    const peer = peerOf(paying)
    await paying.channels.ensure(peer, quoteOf(peer, COIN_TOKEN))
    assert.deepEqual(await vaultsOf(account, [COIN_TOKEN]), [0n])
    assert.ok(before - (await coinOf(paying.payer)) < MFT / 100n, 'the wallet paid gas alone')
  })
})

function idOf({ channelId }: PayerChannel): Hex {
  return `0x${Buffer.from(channelId).toString('hex')}`
}

function voucherOf(channel: PayerChannel, units: number) {
  const { terms, channelId, epoch, domainSeparator, signerSecretKey, baseUnitsPerUnit } = channel
  const amount = BigInt(units) * baseUnitsPerUnit
  const digest = voucherDigest(domainSeparator, { channelId, epoch, amount })
  const signature = signDigest(digest, signerSecretKey)
  const { payer, token, signer, noticeSeconds } = terms
  return { payer, token, signer, noticeSeconds, epoch, amount, signature }
}
