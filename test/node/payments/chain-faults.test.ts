/** Vouchers and claims on a chain that takes back what it said, and through a node that fails or lies. */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { after, afterEach, before, describe, it } from 'node:test'
import { errorCode, type Hex } from '@mainframe/protocol'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { TransactionSender } from '../../../node/src/chain/transactions.ts'
import { Claims } from '../../../node/src/payments/claims.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { type Call, type FaultyRpc, startFaultyRpc } from '../chain/faulty-rpc.ts'
import { follow, MFT, until } from '../chain-support.ts'
import { Seeded } from '../support/seeded.ts'
import {
  createPayer,
  creditOf,
  DEPTH,
  deposit,
  exit,
  MAX_VIEW_AGE_SECONDS,
  mftOf,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
  vaultOf,
} from './support.ts'

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 32))
const QUICK = { backOffMs: [1, 1, 1, 1], timeoutMs: 100 }

let chain: TestChain
let faulty: FaultyRpc
const payees: Payee[] = []
const running: Claims[] = []

before(async () => {
  chain = await startChain()
  faulty = await startFaultyRpc(chain.rpcUrl)
})
afterEach(async () => {
  faulty.intercept = (_, forward) => forward()
  for (const claims of running.splice(0)) await claims.stop()
})
after(async () => {
  for (const { stop, remove } of payees) {
    await stop()
    await remove()
  }
  await faulty.stop()
  await chain.stop()
})

async function newPayee(options: Parameters<typeof startPayee>[2] = {}, before?: Payee) {
  const payee = await startPayee(chain, before, options)
  await chain.fund(payee.account, 0n)
  payees.push(payee)
  return payee
}

const viaFaulty = () => ({ rpc: new Rpc({ url: faulty.url, ...QUICK }) })

/** Claims that go through the node under test, as does the transaction. */
function claimsOf({ secretKey, directory, vouchers }: Payee, options: { checkMs?: number } = {}) {
  const { deployment } = chain
  const { rpc } = viaFaulty()
  const { chainId } = deployment
  const sender = new TransactionSender({ rpc, chainId, secretKey, pollMs: 5 })
  const limits = { thresholdOf: () => 10n ** 30n, maxAgeMs: 10 ** 9, checkMs: 10 }
  const claims = new Claims({ rpc, deployment, directory, sender, vouchers, ...limits, ...options })
  running.push(claims)
  return claims
}

async function offer(payee: Payee, payer: Payer, units: number) {
  const credit = creditOf(chain, payer, { payee: payee.account, units })
  return await payee.ledger.offer(credit, payer)
}

async function expectOutcome(
  payee: Payee,
  payer: Payer,
  offered: [units: number, outcome: string],
) {
  const [units, outcome] = offered
  const found = await offer(payee, payer, units)
  assert.equal(found.outcome, outcome)
  return found.account
}

/** A payer with a confirmed channel and, if told so, an accepted voucher. */
async function paying(payee: Payee, units = 0): Promise<Payer> {
  const payer = await createPayer(chain)
  await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT })
  await payee.confirm()
  if (units > 0) await expectOutcome(payee, payer, [units, 'accepted'])
  return payer
}

describe('A chain that takes back', () => {
  it('a deposit gives no credit for it, neither before nor after', async () => {
    const payee = await newPayee()
    const payer = await createPayer(chain)
    const snapshot = await chain.snapshot()
    await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT })
    await expectOutcome(payee, payer, [10, 'unknown-channel'])
    await chain.revert(snapshot)
    await payee.confirm()
    await expectOutcome(payee, payer, [10, 'unknown-channel'])
    await deposit(chain, payer, { payee: payee.account, amount: 10n * MFT })
    await payee.confirm()
    await expectOutcome(payee, payer, [10, 'accepted'])
  })

  it('a top-up leaves the deposit that there was', async () => {
    const payee = await newPayee()
    const payer = await createPayer(chain)
    await deposit(chain, payer, { payee: payee.account, amount: MFT })
    await payee.confirm()
    const account = await expectOutcome(payee, payer, [1, 'accepted'])
    assert.ok(account)
    account.spentUnits = 999_999_999
    const snapshot = await chain.snapshot()
    await deposit(chain, payer, { payee: payee.account, amount: MFT })
    await expectOutcome(payee, payer, [1_000_000_001, 'over-deposit'])
    await chain.revert(snapshot)
    await payee.confirm()
    await expectOutcome(payee, payer, [1_000_000_001, 'over-deposit'])
    await expectOutcome(payee, payer, [1_000_000_000, 'accepted'])
  })

  it('a request to close leaves the channel as it was', async () => {
    const payee = await newPayee()
    const payer = await paying(payee, 10)
    const snapshot = await chain.snapshot()
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await expectOutcome(payee, payer, [20, 'accepted'])
    await chain.revert(snapshot)
    await payee.confirm()
    await expectOutcome(payee, payer, [30, 'accepted'])
    assert.equal(mftOf(chain, await claimsOf(payee).claimNow()), 30n * UNIT)
  })

  it('a close together with the claim before it lets the claim be made again', async () => {
    const payee = await newPayee()
    const payer = await paying(payee, 1_000)
    const claims = claimsOf(payee)
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await payee.confirm()
    const snapshot = await chain.snapshot()
    assert.equal(mftOf(chain, await claims.claimNow()), 1_000n * UNIT)
    await chain.revert(snapshot)
    claims.start()
    await until(async () => (await vaultOf(chain, payee)) === 1_000n * UNIT)
    await chain.passTime(NOTICE_SECONDS)
    await exit(chain, payer, { payee: payee.account, method: 'finalize' })
    await payee.confirm()
    const all = 1_000n * UNIT
    const earnings = { earnedBase: all, claimedBase: all, unclaimedBase: 0n }
    assert.deepEqual(payee.ledger.earned()[chain.deployment.token], earnings)
    assert.equal(await vaultOf(chain, payer), 10n * MFT - all)
  })
})

/** A payee whose clock stands at the time of its chain, until it is moved. */
async function payeeWithClock() {
  const clock = { ms: 0 }
  const { timestamp } = await chain.request<{ timestamp: Hex }>('eth_getBlockByNumber', [
    'latest',
    false,
  ])
  clock.ms = 1_000 * Number(timestamp)
  const payee = await newPayee({ ...viaFaulty(), now: () => clock.ms })
  const payer = await paying(payee)
  return { clock, payee, payer }
}

describe('A view of the chain that grows too old', () => {
  const faults: [string, FaultyRpc['intercept']][] = [
    ['because the node does not answer', () => new Promise(() => {})],
    ['because the node answers errors', () => 503],
    ['because the node stands still', stuck()],
  ]
  for (const [why, intercept] of faults) {
    it(`${why} gives no more credit, takes none away, and gives credit again`, async () => {
      const { clock, payee, payer } = await payeeWithClock()
      const account = await expectOutcome(payee, payer, [100, 'accepted'])
      assert.ok(account)
      faulty.intercept = intercept
      clock.ms += 1_000 * (MAX_VIEW_AGE_SECONDS - 60)
      await expectOutcome(payee, payer, [200, 'accepted'])
      clock.ms += 1_000 * 120
      await expectOutcome(payee, payer, [300, 'busy'])
      const { durableUnits, spentUnits, boundTo } = account
      assert.deepEqual({ durableUnits, spentUnits }, { durableUnits: 200, spentUnits: 0 })
      assert.equal(boundTo, payer, 'what is prepaid is durable, and can be spent')
      faulty.intercept = (_, forward) => forward()
      await chain.passTime(MAX_VIEW_AGE_SECONDS + 60)
      await payee.confirm()
      await expectOutcome(payee, payer, [300, 'accepted'])
    })
  }

  it('gives no credit for a voucher whose signature was checked meanwhile', async () => {
    const { clock, payee, payer } = await payeeWithClock()
    const offered = offer(payee, payer, 100)
    clock.ms += 1_000 * (MAX_VIEW_AGE_SECONDS + 60)
    assert.equal((await offered).outcome, 'busy')
  })

  it('misses no claim: a close that it did not see is answered when the node is back', async () => {
    const { payee, payer } = await payeeWithClock()
    await expectOutcome(payee, payer, [100, 'accepted'])
    claimsOf(payee).start()
    faulty.intercept = () => 503
    await exit(chain, payer, { payee: payee.account, method: 'requestClose' })
    await chain.passTime(NOTICE_SECONDS / 2)
    await chain.mine(DEPTH)
    faulty.intercept = (_, forward) => forward()
    await until(async () => (await vaultOf(chain, payee)) === 100n * UNIT)
  })
})

/** A node that knows of no block after the one that it named first. */
function stuck(): FaultyRpc['intercept'] {
  let head: unknown
  return async ({ method }, forward) => {
    const answer = await forward()
    if (method !== 'eth_blockNumber') return answer
    head ??= answer.result
    return { result: head }
  }
}

const NONSENSE: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1e300,
  '',
  '0x',
  '0xzz',
  'late',
  `0x${'ff'.repeat(32)}`,
  `0x${'00'.repeat(64)}`,
  {},
  [null],
  [{}],
  { hash: '0x', timestamp: '0x' },
  { transactionHash: '0x12', blockNumber: '0x1', status: '0x1', logs: [] },
]

describe(`A node that answers nonsense (FUZZ_SEED=${SEED})`, () => {
  const random = new Seeded(SEED)
  /** The first answer to each method is wrong, then one in six, until so many were; the last ones are right. */
  function nonsense(limit: number): { told: Set<string>; intercept: FaultyRpc['intercept'] } {
    const told = new Set<string>()
    let lies = 0
    const intercept: FaultyRpc['intercept'] = async ({ method }: Call, forward) => {
      if (lies >= limit || (told.has(method) && random.below(6) > 0)) return await forward()
      lies += 1
      told.add(method)
      const result = random.pick(NONSENSE)
      // what was sent stays sent, whatever is said of it
      if (method === 'eth_sendRawTransaction' && random.below(2) === 0) await forward()
      return { result }
    }
    return { told, intercept }
  }

  it('makes the relay believe nothing that is not so, and end at nothing', async () => {
    const { told, intercept } = nonsense(60)
    faulty.intercept = intercept
    const failures: unknown[] = []
    const payee = await newPayee({ ...viaFaulty(), onFailed: (error) => failures.push(error) })
    const payers: Payer[] = []
    for (let i = 0; i < 6; i++) {
      const payer = await createPayer(chain)
      payers.push(payer)
      await deposit(chain, payer, { payee: payee.account, amount: MFT })
      await expectOutcome(payee, payer, [10, 'unknown-channel'])
      await payee.confirm()
      await expectOutcome(payee, payer, [10, 'accepted'])
    }
    const honest = follow(chain, payee.account, { confirmations: DEPTH })
    await honest.follower.start()
    await honest.follower.stop()
    const { confirmedBlock, channels, users } = payee.directory
    assert.equal(confirmedBlock, honest.directory.confirmedBlock)
    assert.deepEqual(channels, honest.directory.channels)
    assert.equal(users, honest.directory.users)
    assert.deepEqual(failures, [])
    for (const method of ['eth_blockNumber', 'eth_getBlockByNumber', 'eth_getLogs']) {
      assert.ok(told.has(method), `it lied about ${method}`)
    }
  })

  it('costs a claim nothing but time, and it is counted once', async () => {
    const payee = await newPayee()
    for (let round = 1n; round <= 4n; round++) {
      await paying(payee, 1_000)
      faulty.intercept = nonsense(8).intercept
      const claims = claimsOf(payee)
      await until(async () => {
        const ended = claims.claimNow().catch((error: unknown) => {
          const code = errorCode(error)
          assert.match(code ?? String(error), /^CHAIN_(MISMATCH|REJECTED|UNREACHABLE)$/)
        })
        await ended
        return (await vaultOf(chain, payee)) === round * 1_000n * UNIT
      })
      assert.equal(await claims.claimNow().catch(() => undefined), undefined)
    }
    await payee.confirm()
    const all = 4_000n * UNIT
    const earnings = { earnedBase: all, claimedBase: all, unclaimedBase: 0n }
    assert.deepEqual(payee.ledger.earned()[chain.deployment.token], earnings)
  })

  it('ends a relay whose node has changed to another chain, with one sentence', async () => {
    const failed = Promise.withResolvers<Error>()
    const payee = await newPayee({ ...viaFaulty(), onFailed: failed.resolve })
    const payer = await createPayer(chain)
    faulty.intercept = async ({ method }, forward) => {
      const answer = await forward()
      if (method !== 'eth_getBlockByNumber') return answer
      const other = { hash: `0x${'ab'.repeat(32)}`, parentHash: `0x${'cd'.repeat(32)}` }
      return { result: { ...(answer.result as object), ...other } }
    }
    await deposit(chain, payer, { payee: payee.account, amount: MFT })
    await chain.mine(DEPTH)
    const error = await failed.promise
    assert.equal(errorCode(error), 'CHAIN_MISMATCH')
    assert.match(error.message, /The chain dropped block \d+/)
    await expectOutcome(payee, payer, [10, 'unknown-channel'])
  })
})

describe('A node that answers late', () => {
  it('lets a claim be made once, however many answers are lost', async () => {
    const payee = await newPayee()
    await paying(payee, 1_000)
    let calls = 0
    faulty.intercept = async (_, forward) => {
      const answer = await forward()
      if (calls++ % 3 > 0) await new Promise((resolve) => setTimeout(resolve, 2 * QUICK.timeoutMs))
      return answer
    }
    const claims = claimsOf(payee)
    await until(async () => {
      await claims.claimNow().catch((error: unknown) => {
        assert.equal(errorCode(error), 'CHAIN_UNREACHABLE', String(error))
      })
      return (await vaultOf(chain, payee)) > 0n
    })
    assert.equal(await vaultOf(chain, payee), 1_000n * UNIT)
    const count = await chain.request('eth_getTransactionCount', [payee.account, 'latest'])
    assert.equal(Number(count), 1)
  })
})

/** Lets a process claim, and kills it at the first call that `isMoment` tells; that call is not answered. */
async function claimAndKill(
  { account, secretKey, folder }: Payee,
  { method, isForwarded }: { method: string; isForwarded: boolean },
): Promise<void> {
  const child = fork(new URL('./claiming-child.ts', import.meta.url), { silent: true })
  const dead = once(child, 'close')
  faulty.intercept = async (call, forward) => {
    if (call.method !== method) return await forward()
    if (isForwarded) await forward()
    child.kill('SIGKILL')
    await dead
    return 503
  }
  const { deployment } = chain
  // by message: a key must not stand in the arguments of a process
  const payee = { account, folder, secretKey: [...secretKey] }
  child.send({ chain: { rpcUrl: faulty.url, deployment }, payee })
  await dead
  assert.equal(child.signalCode, 'SIGKILL')
  faulty.intercept = (_, forward) => forward()
}

describe('A claim whose process is killed', () => {
  const sending = 'eth_sendRawTransaction'
  const moments: [string, Parameters<typeof claimAndKill>[1]][] = [
    ['before it is sent', { method: sending, isForwarded: false }],
    ['after its receipt', { method: 'eth_getTransactionReceipt', isForwarded: true }],
  ]
  for (const [when, moment] of moments) {
    it(`${when} is made, and counted, once`, async () => {
      const payee = await newPayee()
      const payer = await paying(payee, 1_000)
      await payee.stop()
      await claimAndKill(payee, moment)
      await assertClaimedOnce(payee, payer)
      const count = await chain.request('eth_getTransactionCount', [payee.account, 'latest'])
      assert.equal(Number(count), 2, 'one for it, and one for the voucher after the restart')
    })
  }

  it('while it waits to be mined is made, and counted, once', async () => {
    const payee = await newPayee()
    const payer = await paying(payee, 1_000)
    await payee.stop()
    await chain.request('evm_setAutomine', [false])
    await claimAndKill(payee, { method: sending, isForwarded: true })
    const restarted = await newPayee({}, payee)
    let looks = 0
    faulty.intercept = async ({ method }, forward) => {
      if (method === 'eth_getTransactionCount') looks += 1
      return await forward()
    }
    const claiming = claimsOf(restarted).claimNow()
    await until(() => looks >= 6)
    assert.equal(await inPool(), 1, 'nothing is sent while it waits')
    await chain.mine()
    await chain.request('evm_setAutomine', [true])
    assert.equal(mftOf(chain, await claiming), 0n, 'it paid')
    assert.equal(await vaultOf(chain, payee), 1_000n * UNIT)
    await restarted.stop()
    await assertClaimedOnce(payee, payer)
  })
})

async function inPool(): Promise<number> {
  const pending = await chain.request<{ transactions: Hex[] }>('eth_getBlockByNumber', [
    'pending',
    false,
  ])
  return pending.transactions.length
}

/** Restarts the payee and lets it claim a thousand units once, then one more that is paid after it. */
async function assertClaimedOnce(payee: Payee, payer: Payer): Promise<void> {
  const restarted = await newPayee({}, payee)
  const claims = claimsOf(restarted)
  await claims.claimNow()
  assert.equal(await vaultOf(chain, payee), 1_000n * UNIT)
  await restarted.confirm()
  assert.equal(await claims.claimNow(), undefined)
  await expectOutcome(restarted, payer, [1_001, 'accepted'])
  assert.equal(mftOf(chain, await claims.claimNow()), UNIT)
  await restarted.confirm()
  const all = 1_001n * UNIT
  const earnings = { earnedBase: all, claimedBase: all, unclaimedBase: 0n }
  assert.deepEqual(restarted.ledger.earned()[chain.deployment.token], earnings)
}
