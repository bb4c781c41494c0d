import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { decodeCredit, type Hex, type ReleaseAnswer } from '@mainframe/protocol'
import { callView, channelsContract } from '../../../node/src/chain/contracts.ts'
import type { ChainDirectory, RelayEntry } from '../../../node/src/chain/directory.ts'
import type { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { Closings, type ClosingsOptions } from '../../../node/src/payments/closings.ts'
import { openSignedLog, type SignedLog } from '../../../node/src/payments/signed-log.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { createRelay, follow, MFT, newFolder, type TestRelay, until } from '../chain-support.ts'
import type { ClosingTask } from './closing-child.ts'
import {
  confirm,
  createPayer,
  creditOf,
  DEPTH,
  deposit,
  domainOf,
  exit,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
  vaultOf,
} from './support.ts'

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31))
const DEPOSIT = 10n * MFT
const KILLS = 4

/** A payer with a channel to a relay, as its process would have it. */
interface Leaving {
  payer: Payer
  folder: string
  directory: ChainDirectory
  follower: ChainFollower
  signed: SignedLog
  channelId: Hex
}

let chain: TestChain
let relay: TestRelay
let payee: Payee
const leavers: Leaving[] = []
const running: Closings[] = []

before(async () => {
  chain = await startChain()
  relay = await createRelay(chain, { mft: 0n })
  const { hotAccount: account, hotSecret: secretKey } = relay.keys
  payee = await startPayee(chain, { account, secretKey, folder: await newFolder() })
})
afterEach(async () => {
  for (const closings of running.splice(0)) await closings.stop()
})
after(async () => {
  for (const { follower, signed, folder } of leavers) {
    await follower.stop()
    await signed.close()
    await rm(folder, { recursive: true })
  }
  await payee.stop()
  await payee.remove()
  await chain.stop()
})

/** Opens a confirmed channel; `to` may be nobody's account. */
async function leaving(to: Hex = payee.account): Promise<Leaving> {
  const payer = await createPayer(chain, DEPOSIT)
  await deposit(chain, payer, { payee: to, amount: DEPOSIT })
  const { directory, follower } = follow(chain, payer.account, { confirmations: DEPTH })
  await follower.start()
  await confirm(chain, directory)
  await payee.confirm()
  const folder = await newFolder()
  const signed = await openSignedLog(join(folder, 'signed.log'))
  const [row] = directory.channels.values()
  assert.ok(row)
  const leaver = { payer, folder, directory, follower, signed, channelId: row.channelId }
  leavers.push(leaver)
  return leaver
}

/** Pays the relay so many units. */
async function pay({ payer, signed, channelId }: Leaving, units: number): Promise<void> {
  await signed.put({ channelId, epoch: 1, amount: BigInt(units) * UNIT })
  const credit = creditOf(chain, payer, { payee: payee.account, units })
  assert.equal((await payee.ledger.offer(credit, {})).outcome, 'accepted')
}

/** What became of the channels that a payer closed by itself. */
function begin(leaver: Leaving, options: Partial<ClosingsOptions> = {}) {
  const { payer, directory, signed } = leaver
  const { deployment, rpcUrl } = chain
  const ends: string[] = []
  const troubles: string[] = []
  const closings = new Closings({
    rpc: new Rpc({ url: rpcUrl }),
    deployment,
    domain: domainOf(deployment),
    directory,
    sender: payer.sender,
    hotSecret: payer.secretKey,
    signed,
    idleMs: 1,
    checkMs: 5,
    inUse: () => [],
    ask,
    onClosed: (_, how) => ends.push(how),
    onTrouble: ({ message }) => troubles.push(message),
    ...options,
  })
  running.push(closings)
  closings.start()
  return { closings, ends, troubles }
}

/** The relay, reached without a network. */
async function ask({ row }: RelayEntry, body: Uint8Array): Promise<ReleaseAnswer> {
  assert.equal(row.payee, payee.account)
  return await payee.releases.ask(decodeCredit(body) ?? assert.fail('no request'))
}

const unreachable = () => Promise.reject(new Error('nobody answers'))

async function slotOf({ channelId }: Leaving) {
  const [slots] = await callView(new Rpc({ url: chain.rpcUrl }), {
    to: chain.deployment.channels,
    contract: channelsContract,
    method: 'slots',
    args: [[channelId]],
  })
  return slots[0] as { deposit: bigint; closesAt: bigint; epoch: bigint }
}

const isClosing = async (leaver: Leaving) => (await slotOf(leaver)).closesAt > 0n
const isClosed = async (leaver: Leaving) => (await slotOf(leaver)).deposit === 0n
const sentBy = async ({ payer }: Leaving) =>
  Number(await chain.request('eth_getTransactionCount', [payer.account, 'latest']))
/** Long enough for many looks. */
const manyLooks = () => new Promise((resolve) => setTimeout(resolve, 150))

describe('a channel to another relay', () => {
  it('is not closed while it is in use, or before it was idle for long', async () => {
    const used = await leaving()
    begin(used, { idleMs: 400, inUse: () => [used.channelId] })
    const recent = await leaving()
    await chain.passTime(100)
    begin(recent, { idleMs: 3_600_000 })
    const claimed = await leaving()
    begin(claimed, { idleMs: 50_000 }) // the chain told of it a moment ago
    await new Promise((resolve) => setTimeout(resolve, 800))
    for (const leaver of [used, recent, claimed]) assert.equal(await sentBy(leaver), 1)
  })

  it('is closed at once with the consent of its payee, for what it was promised', async () => {
    const leaver = await leaving()
    await pay(leaver, 1_000)
    await chain.passTime(10)
    const { ends } = begin(leaver)
    await until(() => ends.length > 0)
    assert.deepEqual(ends, ['released'])
    assert.equal(await vaultOf(chain, leaver.payer), DEPOSIT - 1_000n * UNIT)
    assert.equal(await sentBy(leaver), 2)
    await confirm(chain, leaver.directory)
    await manyLooks()
    assert.equal(await sentBy(leaver), 2, 'nothing more is done about it')
  })

  it('of a payee that wants more than it was promised goes by the notice', async () => {
    const leaver = await leaving()
    await pay(leaver, 1_000)
    await leaver.signed.put({ channelId: leaver.channelId, epoch: 1, amount: 2_000n * UNIT })
    await chain.passTime(10)
    const greedy = async (entry: RelayEntry, body: Uint8Array) => ({
      ...(await ask(entry, body)),
      finalAmount: 1_001n * UNIT,
    })
    begin(leaver, { ask: greedy })
    await until(() => isClosing(leaver))
  })

  it('of a payee that is away, or registered no more, is finalized after the notice', async () => {
    const away = await leaving()
    const gone = await leaving(`0x${'ab'.repeat(20)}`)
    await pay(away, 1_000)
    await chain.passTime(10)
    const all = [away, gone].map((leaver) => begin(leaver, { ask: unreachable }))
    await until(async () => (await isClosing(away)) && (await isClosing(gone)))
    await confirm(chain, away.directory)
    await confirm(chain, gone.directory)
    await manyLooks()
    for (const leaver of [away, gone])
      assert.equal(await sentBy(leaver), 2, 'nothing before its time')
    await chain.passTime(NOTICE_SECONDS)
    await until(() => all.every(({ ends }) => ends.length > 0))
    assert.deepEqual(
      all.map(({ ends }) => ends),
      [['finalized'], ['finalized']],
    )
    // the payee was off line all the time, and claimed nothing
    for (const leaver of [away, gone]) assert.equal(await vaultOf(chain, leaver.payer), DEPOSIT)
  })

  it('that its payee takes no vouchers on is closed at once, once a day', async () => {
    const leaver = await leaving()
    const { closings, ends } = begin(leaver, { idleMs: 10 ** 9 })
    closings.leave(leaver.channelId, 1)
    await until(() => ends.length > 0)
    assert.deepEqual(ends, ['released'])
    const again = creditOf(chain, leaver.payer, { payee: payee.account, units: 1, epoch: 2 })
    await leaver.payer.sender.settle()
    await chain.fund(leaver.payer.account, DEPOSIT)
    await deposit(chain, leaver.payer, { payee: payee.account, amount: DEPOSIT })
    await confirm(chain, leaver.directory)
    await payee.confirm()
    assert.equal((await payee.ledger.offer(again, {})).outcome, 'accepted')
    closings.leave(leaver.channelId, 2)
    await manyLooks()
    assert.ok(!(await isClosed(leaver)), 'whoever refuses us cannot make us pay for gas at will')
  })

  it('that is asked to close for a refusal is not asked again when that is taken back', async () => {
    const leaver = await leaving()
    const { closings } = begin(leaver, { idleMs: 10 ** 9, ask: unreachable })
    closings.leave(leaver.channelId, 1)
    await until(() => isClosing(leaver))
    await leaver.payer.sender.settle()
    await exit(chain, leaver.payer, { payee: payee.account, method: 'cancelClose' })
    await confirm(chain, leaver.directory)
    await manyLooks()
    assert.ok(!(await isClosing(leaver)))
  })

  it('that fails to close keeps no other from it', async () => {
    const leaver = await leaving()
    await deposit(chain, await withMoney(leaver), { payee: `0x${'cd'.repeat(20)}`, amount: MFT })
    await confirm(chain, leaver.directory)
    await chain.passTime(10)
    // the first of them is closing already, which the view does not know
    await exit(chain, leaver.payer, { payee: payee.account, method: 'requestClose' })
    const { troubles } = begin(leaver, { ask: unreachable })
    await until(async () => (await sentBy(leaver)) >= 4)
    assert.deepEqual(troubles, [], 'the newest block says so')
    const states = async () => {
      await confirm(chain, leaver.directory)
      return [...leaver.directory.channels.values()].map(({ state }) => state)
    }
    await until(async () => (await states()).every((state) => state === 'closing'))
  })
})

async function withMoney({ payer }: Leaving): Promise<Payer> {
  await chain.fund(payer.account, MFT)
  return payer
}

describe('closing by a process that is killed again and again', () => {
  it(`gives the deposit back once (FUZZ_SEED=${SEED})`, async (t) => {
    const leaver = await leaving(`0x${'ef'.repeat(20)}`)
    await chain.passTime(10)
    await leaver.signed.close()
    let state = SEED
    const random = (below: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return state % below
    }
    await chain.request('evm_setAutomine', [false])
    await chain.request('evm_setIntervalMining', [30])
    try {
      for (let kills = 0; kills < KILLS; kills++) {
        await killedAfter(leaver, random(400))
        const { closesAt, deposit } = await slotOf(leaver)
        t.diagnostic(`killed: closes at ${closesAt}, ${deposit} left`)
        if (closesAt > 0n) await chain.passTime(NOTICE_SECONDS)
        if (deposit === 0n) break
      }
      leaver.signed = await openSignedLog(join(leaver.folder, 'signed.log'))
      begin(leaver, { ask: unreachable })
      while (!(await isClosed(leaver))) {
        await manyLooks()
        if (await isClosing(leaver)) await chain.passTime(NOTICE_SECONDS)
      }
    } finally {
      await chain.request('evm_setIntervalMining', [0])
      await chain.request('evm_setAutomine', [true])
    }
    assert.equal(await vaultOf(chain, leaver.payer), DEPOSIT)
    assert.equal(await sentBy(leaver), 3, 'open, requestClose and finalize')
  })
})

async function killedAfter({ payer, folder }: Leaving, afterMs: number): Promise<void> {
  const child = fork(new URL('./closing-child.ts', import.meta.url), { silent: true })
  const { rpcUrl, deployment } = chain
  const { account, secretKey } = payer
  // by message: a key must not stand in the arguments of a process
  const task: ClosingTask = {
    chain: { rpcUrl, deployment },
    account,
    secretKey: [...secretKey],
    folder,
  }
  child.send(task)
  await Promise.race([once(child, 'message'), once(child, 'close')])
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  child.kill('SIGKILL')
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
}
