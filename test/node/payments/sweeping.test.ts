import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { COIN_TOKEN, type Hex, MainframeError } from '@mainframe/protocol'
import type { Base } from '../../../node/src/base.ts'
import { callView, channelsContract, tokenContract } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { TransactionSender } from '../../../node/src/chain/transactions.ts'
import type { ChainSide } from '../../../node/src/chain-side.ts'
import { createSweeping } from '../../../node/src/payment-side.ts'
import { Claims } from '../../../node/src/payments/claims.ts'
import { Sweeping, type SweepingOptions, type Swept } from '../../../node/src/payments/sweeping.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { MFT, POLL_MS, senderOf, until } from '../chain-support.ts'
import { createPayer, creditOf, deposit, type Payer, startPayee, UNIT, vaultOf } from './support.ts'

const COLD: Hex = `0x${'c0'.repeat(20)}`

let chain: TestChain
const running: Sweeping[] = []

before(async () => {
  chain = await startChain()
})
afterEach(async () => {
  for (const sweeping of running.splice(0)) await sweeping.stop()
  await chain.request('evm_setAutomine', [true])
})
after(() => chain.stop())

/** A hot account with so much in its vault. */
async function earned(base: bigint): Promise<Payer> {
  const hot = await createPayer(chain, base)
  await put(hot, base)
  return hot
}

async function put({ sender }: Payer, base: bigint): Promise<void> {
  const { token, channels } = chain.deployment
  const send = (to: Hex, data: string, what: string) => sender.send({ to, data: data as Hex, what })
  await send(token, tokenContract.encodeFunctionData('approve', [channels, base]), 'approve')
  await send(channels, channelsContract.encodeFunctionData('deposit', [token, base]), 'deposit')
}

function begin({ sender }: Payer, options: Partial<SweepingOptions> = {}) {
  const { deployment, rpcUrl: url } = chain
  const swept: bigint[] = []
  const troubles: string[] = []
  const sweeping = new Sweeping({
    rpc: new Rpc({ url }),
    deployment,
    sender,
    tokens: [deployment.token],
    keepBase: () => 10n * MFT,
    isFunding: () => false,
    to: () => COLD,
    checkMs: 5,
    onSwept: ({ amountBase }) => swept.push(amountBase),
    onTrouble: ({ message }) => troubles.push(message),
    ...options,
  })
  running.push(sweeping)
  sweeping.start()
  return { sweeping, swept, troubles }
}

async function balanceOf(account: Hex): Promise<bigint> {
  const { token: to } = chain.deployment
  const call = { to, contract: tokenContract, method: 'balanceOf', args: [account] }
  const [balance] = await callView(new Rpc({ url: chain.rpcUrl }), call)
  return balance
}

const coinOf = async (account: Hex) =>
  BigInt(await chain.request<Hex>('eth_getBalance', [account, 'latest']))
const sentBy = async ({ account }: Payer, block: 'latest' | 'pending' = 'latest') =>
  Number(await chain.request('eth_getTransactionCount', [account, block]))
const manyLooks = () => new Promise((resolve) => setTimeout(resolve, 100))

describe('earnings in the vault', () => {
  it('stay while they are not above what is to stay, or only by a little', async () => {
    const [little, exact] = [await earned(11n * MFT - 1n), await earned(10n * MFT)]
    begin(little)
    begin(exact)
    await manyLooks()
    assert.deepEqual([await sentBy(little), await sentBy(exact)], [2, 2])
  })

  it('stay while nobody knows where to, and never go to the hot account itself', async () => {
    const hot = await earned(20n * MFT)
    begin(hot, { to: () => undefined })
    const { troubles } = begin(hot, {
      to: () => hot.account.toUpperCase().replace('X', 'x') as Hex,
    })
    await until(() => troubles.length > 0)
    assert.match(troubles[0] ?? '', /sweepTo is the hot account/)
    assert.equal(await sentBy(hot), 2)
  })

  it('go to no account whose address was mistyped', () => {
    const sweepTo = '0x00000000000000000000000000000000000000Ab'
    const base = { config: { sweepAboveUnits: 1, sweepTo } } as Base
    const unused = [{} as ChainSide, {} as Parameters<typeof createSweeping>[2]] as const
    const fault = { code: 'CONFIG_INVALID', message: /sweepTo .*capitals do not fit/ }
    assert.throws(() => createSweeping(base, ...unused), fault)
  })

  it('go to the cold account as far as they are above it, again and again', async () => {
    const hot = await earned(25n * MFT)
    const before = await balanceOf(COLD)
    const { swept } = begin(hot)
    await until(() => swept.length === 1)
    assert.deepEqual(
      [await vaultOf(chain, hot), (await balanceOf(COLD)) - before],
      [10n * MFT, 15n * MFT],
    )
    await chain.fund(hot.account, 3n * MFT)
    await put(hot, 3n * MFT)
    await until(() => swept.length === 2)
    assert.deepEqual(swept, [15n * MFT, 3n * MFT])
    assert.equal(await vaultOf(chain, hot), 10n * MFT)
  })

  it('stay while money is on its way through the vault into channels', async () => {
    const hot = await earned(30n * MFT)
    let isFunding = true
    const { swept } = begin(hot, { isFunding: () => isFunding })
    await manyLooks()
    assert.deepEqual(swept, [])
    isFunding = false
    await until(() => swept.length > 0)
    assert.equal(await vaultOf(chain, hot), 10n * MFT)
  })

  it('go token by token, each above its own mark', async () => {
    const hot = await earned(12n * MFT)
    const { channels } = chain.deployment
    const [coin, cold] = [2n * MFT, await coinOf(COLD)]
    const data = channelsContract.encodeFunctionData('deposit', [COIN_TOKEN, coin]) as Hex
    await hot.sender.send({ to: channels, data, what: 'deposit', valueBase: coin })
    const swept: Swept[] = []
    begin(hot, {
      tokens: [chain.deployment.token, COIN_TOKEN],
      keepBase: (token) => (token === COIN_TOKEN ? MFT / 2n : 10n * MFT),
      onSwept: (one) => swept.push(one),
    })
    await until(() => swept.length === 2)
    assert.deepEqual(
      swept.map(({ token, amountBase }) => [token, amountBase]),
      [
        [chain.deployment.token, 2n * MFT],
        [COIN_TOKEN, (3n * MFT) / 2n],
      ],
    )
    assert.equal((await coinOf(COLD)) - cold, (3n * MFT) / 2n)
    await manyLooks()
    assert.equal(swept.length, 2)
  })

  it('never go below what is needed now, though that was less before', async () => {
    const hot = await earned(30n * MFT)
    let keep = 29n * MFT
    const { swept } = begin(hot, { keepBase: () => keep })
    await manyLooks()
    assert.deepEqual(swept, [])
    keep = 20n * MFT
    await until(() => swept.length > 0)
    assert.equal(await vaultOf(chain, hot), 20n * MFT)
  })

  it('are sent on once when a run was killed before its transfer was mined', async () => {
    const hot = await earned(25n * MFT)
    const { secretKey } = hot
    const { chainId } = chain.deployment
    const stop = new AbortController()
    const rpc = new Rpc({ url: chain.rpcUrl, signal: stop.signal })
    await chain.request('evm_setAutomine', [false])
    const sender = new TransactionSender({ rpc, chainId, secretKey, pollMs: POLL_MS })
    const killed = begin(hot, { rpc, sender })
    await until(async () => (await sentBy(hot, 'pending')) === 3)
    stop.abort()
    await killed.sweeping.stop()
    const { swept } = begin({ ...hot, sender: senderOf(chain, secretKey) })
    await manyLooks()
    await chain.mine()
    await manyLooks()
    assert.deepEqual([swept, await vaultOf(chain, hot), await sentBy(hot)], [[], 10n * MFT, 3])
  })

  it('that a claim is bringing are waited for, and go in one transfer', async () => {
    const payee = await startPayee(chain)
    try {
      const payer = await createPayer(chain)
      await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT })
      await payee.confirm()
      const credit = creditOf(chain, payer, { payee: payee.account, units: 90_000 })
      assert.equal((await payee.ledger.offer(credit, {})).outcome, 'accepted')
      await chain.fund(payee.account, 25n * MFT)
      await put(payee, 25n * MFT)
      const { deployment, rpcUrl: url } = chain
      const never = { thresholdOf: () => 10n ** 30n, maxAgeMs: 10 ** 9, checkMs: 10 ** 9 }
      const claims = new Claims({ rpc: new Rpc({ url }), deployment, ...payee, ...never })
      await chain.request('evm_setAutomine', [false])
      const claiming = claims.claimNow()
      await until(async () => (await sentBy(payee, 'pending')) === 3)
      const { swept } = begin(payee)
      await manyLooks()
      assert.equal(await sentBy(payee, 'pending'), 3, 'nothing is sent beside the claim')
      await chain.mine()
      await chain.request('evm_setAutomine', [true])
      assert.equal((await claiming)?.paid[deployment.token.toLowerCase() as Hex], 90_000n * UNIT)
      await until(() => swept.length > 0)
      assert.deepEqual(swept, [15n * MFT + 90_000n * UNIT])
      assert.equal(await vaultOf(chain, payee), 10n * MFT)
    } finally {
      await payee.stop()
      await payee.remove()
    }
  })

  it('stay when the chain does not answer, which is told', async () => {
    const hot = await earned(25n * MFT)
    const silent = new MainframeError('CHAIN_UNREACHABLE', 'no answer')
    const rpc = Object.assign(new Rpc({ url: chain.rpcUrl }), {
      request: () => Promise.reject(silent),
    })
    const { troubles } = begin(hot, { rpc })
    await until(() => troubles.length > 0)
    assert.equal(await vaultOf(chain, hot), 25n * MFT)
  })
})
