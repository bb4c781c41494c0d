import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { COIN_TOKEN, type Hex, MainframeError } from '@mainframe/protocol'
import { ChainDirectory } from '../../../node/src/chain/directory.ts'
import { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { claimGas } from '../../../node/src/payments/claim-batches.ts'
import { Claims } from '../../../node/src/payments/claims.ts'
import { TowerStore } from '../../../node/src/watchtower/tower-store.ts'
import { Watch, type WatchOptions } from '../../../node/src/watchtower/watch.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { MFT, POLL_MS, senderOf, until } from '../chain-support.ts'
import {
  confirm,
  createPayer,
  creditOf,
  DEPTH,
  deposit,
  exit,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
  vaultOf,
} from '../payments/support.ts'

const DEPOSIT = 10n * MFT

let chain: TestChain
let folder: string
let store: TowerStore
let directory: ChainDirectory
let follower: ChainFollower
const payees: Payee[] = []
const watches: Watch[] = []

before(async () => {
  chain = await startChain()
  folder = await mkdtemp(join(tmpdir(), 'watch-'))
  store = new TowerStore(folder)
  const { deployment, rpcUrl: url } = chain
  directory = new ChainDirectory({ deployment })
  const options = { rpc: new Rpc({ url }), deployment, directory, epochSeconds: 86_400 }
  follower = new ChainFollower({ ...options, confirmations: DEPTH, pollMs: POLL_MS })
  await follower.start()
})
afterEach(async () => {
  for (const watch of watches.splice(0)) await watch.stop()
  store.remove([...store.entries.keys()])
})
after(async () => {
  await follower.stop()
  store.close()
  await rm(folder, { recursive: true })
  for (const { stop, remove } of payees) {
    await stop()
    await remove()
  }
  await chain.stop()
})

/** A payee that gave its vouchers to the watchtower, and its payers of so many units. */
function paid(...units: number[]): Promise<{ payee: Payee; payers: Payer[] }> {
  return paidIn(chain.deployment.token, units)
}

async function paidIn(
  token: Hex,
  units: readonly number[],
): Promise<{ payee: Payee; payers: Payer[] }> {
  const medium = { token, baseUnitsPerUnit: UNIT, minDepositBase: 1n }
  const payee = await startPayee(chain, undefined, { media: [medium] })
  payees.push(payee)
  return await paidTo(payee, units, token)
}

async function paidTo(payee: Payee, units: readonly number[], token = chain.deployment.token) {
  const payers: Payer[] = []
  for (const each of units) {
    const payer = await createPayer(chain)
    const amount = token === COIN_TOKEN ? DEPOSIT / 2n : DEPOSIT // the rest of the coin is for gas
    await deposit(chain, payer, { payee: payee.account, amount, token })
    await payee.confirm()
    const credit = creditOf(chain, payer, { payee: payee.account, units: each, token })
    assert.equal((await payee.ledger.offer(credit, {})).outcome, 'accepted')
    payers.push(payer)
  }
  const vouchers = [...payee.vouchers.entries.values()]
  store.put(vouchers.map((voucher) => ({ ...voucher, payee: payee.account })))
  return { payee, payers }
}

async function close(
  { payee, payers }: { payee: Payee; payers: Payer[] },
  token = chain.deployment.token,
): Promise<void> {
  for (const payer of payers) {
    await exit(chain, payer, { payee: payee.account, method: 'requestClose', token })
  }
  await confirm(chain, directory)
}

/** A watchtower with coin and no MFT, and what it did. */
async function begin(options: Partial<WatchOptions> = {}) {
  const { account, secretKey } = await chain.createAccount(0n)
  const { deployment, rpcUrl: url } = chain
  const claims: bigint[] = []
  const troubles: string[] = []
  const watch = new Watch({
    rpc: new Rpc({ url }),
    deployment,
    directory,
    sender: senderOf(chain, secretKey),
    store,
    minBases: new Map([[deployment.token, 1n]]),
    gasPerDay: 10_000_000n,
    checkMs: 5,
    onClaimed: ({ paidBase }) => claims.push(paidBase),
    onTrouble: ({ message }) => troubles.push(message),
    ...options,
  })
  watches.push(watch)
  watch.start()
  return { watch, account, claims, troubles }
}

const sentBy = async (account: Hex) =>
  Number(await chain.request('eth_getTransactionCount', [account, 'latest']))
const manyLooks = () => new Promise((resolve) => setTimeout(resolve, 150))

describe('a watchtower', () => {
  it('leaves the first half of the notice to the payee, and what is not closing alone', async () => {
    const open = await paid(1_000)
    const closing = await paid(2_000)
    await close(closing)
    const { account } = await begin()
    await manyLooks()
    assert.equal(await sentBy(account), 0)
    assert.equal(await vaultOf(chain, open.payee), 0n)
  })

  it('claims for a payee that stays away, with no key of its, and gets nothing', async () => {
    const away = await paid(1_000, 2_000)
    await close(away)
    await chain.passTime(NOTICE_SECONDS / 2)
    const { account, claims } = await begin()
    await until(() => claims.length > 0)
    assert.deepEqual(claims, [3_000n * UNIT])
    assert.equal(await vaultOf(chain, away.payee), 3_000n * UNIT)
    assert.equal(await vaultOf(chain, { account }), 0n)
    await confirm(chain, directory)
    await manyLooks()
    assert.equal(await sentBy(account), 1, 'nothing is claimed twice')
    await chain.passTime(NOTICE_SECONDS / 2)
    for (const payer of away.payers) {
      await exit(chain, payer, { payee: away.payee.account, method: 'finalize' })
    }
    assert.equal(await vaultOf(chain, away.payers[0] ?? assert.fail()), DEPOSIT - 1_000n * UNIT)
  })

  it('spends nothing for a payee that has claimed by itself, or for what is too small', async () => {
    const there = await paid(1_000)
    const small = await paid(9)
    await close(there)
    await close(small)
    const { payee } = there
    await chain.fund(payee.account, 0n)
    const { deployment, rpcUrl: url } = chain
    const never = { thresholdOf: () => 1n, maxAgeMs: 10 ** 9, checkMs: 10 ** 9 }
    const claims = new Claims({ rpc: new Rpc({ url }), deployment, ...payee, ...never })
    await claims.claimNow()
    await chain.passTime(NOTICE_SECONDS / 2)
    const { account } = await begin({ minBases: new Map([[deployment.token, 10n * UNIT]]) })
    await manyLooks()
    assert.equal(await sentBy(account), 0)
  })

  it('claims each token by itself, and none of which it was not told what it is worth', async () => {
    const [inCoin, inMft] = [await paidIn(COIN_TOKEN, [2_000, 3]), await paid(1_000)]
    await close(inCoin, COIN_TOKEN)
    await close(inMft)
    await chain.passTime(NOTICE_SECONDS / 2)
    const unaware = await begin({ minBases: new Map<Hex, bigint>([[`0x${'99'.repeat(20)}`, 1n]]) })
    await manyLooks()
    assert.equal(await sentBy(unaware.account), 0)
    const minBases = new Map([
      [chain.deployment.token, 10n * UNIT],
      [COIN_TOKEN, 10n * UNIT],
    ])
    const { account, claims } = await begin({ minBases })
    await until(() => claims.length === 2)
    await manyLooks()
    assert.deepEqual(claims.toSorted(), [1_000n * UNIT, 2_000n * UNIT], 'and not what is too small')
    assert.equal(await sentBy(account), 2)
  })

  it('uses no more gas in a day than it may, for the dearest first, also after a restart', async () => {
    const closing = await paid(1_000, 5_000, 3_000)
    await close(closing)
    await chain.passTime(NOTICE_SECONDS / 2)
    const gasPerDay = store.gasSince(0) + claimGas(2)
    const { watch, claims, troubles } = await begin({ gasPerDay })
    assert.deepEqual(watch.troubles, [])
    await until(() => troubles.length > 0)
    assert.deepEqual(claims, [8_000n * UNIT])
    assert.match(troubles[0] ?? '', /raise towerGasPerDay/)
    assert.ok(watch.gasLeft < claimGas(1))
    assert.match(watch.troubles[0] ?? '', /raise towerGasPerDay/, 'an alarm can hang on it')
    await watch.stop()
    const reopened = new TowerStore(folder)
    const again = await begin({ gasPerDay, store: reopened })
    await until(() => again.troubles.length > 0)
    await again.watch.stop()
    reopened.close()
    assert.deepEqual(again.claims, [])
    const richer = await begin()
    await until(() => richer.claims.length > 0)
    assert.deepEqual(richer.claims, [1_000n * UNIT])
  })

  it('serves first the payee that has cost it the least', async () => {
    const greedy = await paid(90_000)
    await close(greedy)
    await chain.passTime(NOTICE_SECONDS / 2)
    const first = await begin()
    await until(() => first.claims.length > 0)
    await first.watch.stop()
    const [again, modest] = [await paidTo(greedy.payee, [90_000]), await paid(1_000)]
    await close(again)
    await close(modest)
    await chain.passTime(NOTICE_SECONDS / 2)
    const { claims, troubles } = await begin({ gasPerDay: store.gasSince(0) + claimGas(1) })
    await until(() => troubles.length > 0)
    assert.deepEqual(claims, [1_000n * UNIT])
  })

  it('counts no gas for what its node refused, and says why it fails', async () => {
    const closing = await paid(1_000)
    await close(closing)
    await chain.passTime(NOTICE_SECONDS / 2)
    const used = store.gasSince(0)
    const { secretKey } = await chain.createAccount(0n)
    const sender = senderOf(chain, secretKey)
    await chain.request('hardhat_setBalance', [sender.account, '0x0'])
    const { troubles, claims } = await begin({ sender })
    await until(() => troubles.length > 1)
    assert.deepEqual([store.gasSince(0), claims], [used, []])
    await chain.fund(sender.account, 0n)
    await until(() => claims.length > 0)
  })

  it('counts all the gas of a claim of which nobody says what became', async () => {
    const closing = await paid(1_000)
    await close(closing)
    await chain.passTime(NOTICE_SECONDS / 2)
    const used = store.gasSince(0)
    const { secretKey } = await chain.createAccount(0n)
    const silent = new MainframeError('CHAIN_UNREACHABLE', 'no answer')
    const sender = Object.assign(senderOf(chain, secretKey), { send: () => Promise.reject(silent) })
    const { watch, troubles } = await begin({ sender })
    await until(() => troubles.length > 0)
    await watch.stop()
    assert.ok(store.gasSince(0) - used >= claimGas(1))
  })
})
