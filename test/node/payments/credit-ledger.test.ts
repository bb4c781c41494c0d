import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { type Credit, type CreditOutcome, type Hex, toHex } from '@mainframe/protocol'
import fc from 'fast-check'
import { callView, channelsContract } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { MFT } from '../chain-support.ts'
import {
  createPayer,
  creditOf,
  deposit,
  exit,
  NOTICE_SECONDS,
  type Payee,
  type Payer,
  startPayee,
  UNIT,
} from './support.ts'

const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const DEPOSIT = 10n * MFT

let chain: TestChain
let payee: Payee
const started: Payee[] = []

before(async () => {
  chain = await startChain()
  payee = await startAnother()
})
after(async () => {
  for (const { stop, remove } of started) {
    await stop()
    await remove()
  }
  await chain.stop()
})

async function startAnother(...rest: [before?: Payee, options?: { maxPending: number }]) {
  const another = await startPayee(chain, ...rest)
  started.push(another)
  return another
}

/** A payer with a confirmed channel of 10 MFT, which is ten billion units. */
async function paying(amount = DEPOSIT): Promise<Payer> {
  const payer = await createPayer(chain)
  await deposit(chain, payer, { payee: payee.account, amount })
  await payee.confirm()
  return payer
}

const credit = (payer: Payer, units: number, rest: { epoch?: number; notice?: number } = {}) =>
  creditOf(chain, payer, { payee: payee.account, units, ...rest })

async function expectOutcome(offered: Credit, outcome: CreditOutcome, link: object = {}) {
  const offer = await payee.ledger.offer(offered, link)
  assert.equal(offer.outcome, outcome)
  assert.equal(offer.account === undefined, outcome !== 'accepted')
  return offer.account
}

describe('a voucher', () => {
  it('is no credit before its deposit is confirmed', async () => {
    const payer = await createPayer(chain)
    await deposit(chain, payer, { payee: payee.account, amount: DEPOSIT })
    await expectOutcome(credit(payer, 10), 'unknown-channel')
    await chain.mine(1)
    await expectOutcome(credit(payer, 10), 'unknown-channel')
    await payee.confirm()
    await expectOutcome(credit(payer, 10), 'accepted')
  })

  it('is no credit for another payee, another token or too short a notice', async () => {
    const [payer, other] = [await paying(), await createPayer(chain)]
    await deposit(chain, payer, { payee: other.account, amount: DEPOSIT, notice: 3_600 })
    await deposit(chain, payer, { payee: payee.account, amount: DEPOSIT, notice: 3_600 })
    await deposit(chain, other, { payee: payer.account, amount: DEPOSIT })
    await payee.confirm()
    const foreign = creditOf(chain, other, { payee: payer.account, units: 10 })
    await expectOutcome(foreign, 'unknown-channel')
    await expectOutcome(credit(payer, 10, { notice: 3_600 }), 'wrong-terms')
    await expectOutcome({ ...credit(payer, 10), token: new Uint8Array(20) }, 'wrong-terms')
    await expectOutcome(credit(payer, 10), 'accepted')
  })

  it('is no credit when the deposit is dust', async () => {
    const payer = await paying(MFT - 1n)
    await expectOutcome(credit(payer, 10), 'small-deposit')
    await deposit(chain, payer, { payee: payee.account, amount: 1n })
    await payee.confirm()
    await expectOutcome(credit(payer, 10), 'accepted')
  })

  it('is judged like the contract judges it, however its signature is bent', async () => {
    const payer = await paying()
    const units = 500
    const good = credit(payer, units)
    const s = BigInt(toHex(good.signature.subarray(32))) & ((1n << 255n) - 1n)
    const highS = good.signature.slice()
    // the other root: fits 255 bits, recovers the same key with the other recovery bit
    const bit = (good.signature[32] ?? 0) & 0x80 ? 0n : 1n << 255n
    highS.set(
      Buffer.from((((ORDER - s) % (1n << 255n)) | bit).toString(16).padStart(64, '0'), 'hex'),
      32,
    )
    const flip = (index: number, mask: number) => {
      const bent = good.signature.slice()
      bent[index] = (bent[index] ?? 0) ^ mask
      return bent
    }
    const zeroR = good.signature.slice().fill(0, 0, 32)
    const zeroS = good.signature.slice().fill(0, 32)
    const bent = [
      flip(32, 0x80),
      highS,
      flip(0, 1),
      flip(63, 1),
      zeroR,
      zeroS,
      new Uint8Array(64),
      new Uint8Array(64).fill(255),
      creditOf(
        chain,
        { ...payer, secretKey: new Uint8Array(32).fill(9) },
        { payee: payee.account, units },
      ).signature,
      credit(payer, units + 1).signature,
      credit(payer, units, { epoch: 2 }).signature,
      creditOf(chain, payer, { payee: payer.account, units }).signature,
    ]
    const signatures = [good.signature, ...bent]
    const [, each] = await callView(new Rpc({ url: chain.rpcUrl }), {
      to: chain.deployment.channels,
      contract: channelsContract,
      method: 'claimable',
      args: [
        payee.account,
        chain.deployment.token,
        NOTICE_SECONDS,
        signatures.map((signature) => ({
          payer: payer.account,
          signer: payer.account,
          amount: good.amount,
          r: signature.subarray(0, 32),
          vs: signature.subarray(32),
        })),
      ],
    })
    assert.deepEqual([...each], [good.amount, ...bent.map(() => 0n)])
    bent.push(good.signature.subarray(1))
    // over a link of which nothing is known, and over one whose signer's key is
    const known = {}
    for (const signature of bent) await expectOutcome({ ...good, signature }, 'bad-signature')
    await expectOutcome(credit(payer, units - 1), 'accepted', known)
    for (const signature of bent) {
      await expectOutcome({ ...good, signature }, 'bad-signature', known)
    }
    await expectOutcome(good, 'accepted', known)
  })

  it('is of the channel that it names, whichever the link named before', async () => {
    const [payer, other] = [await paying(), await paying()]
    const link = {}
    const first = await expectOutcome(credit(payer, 10), 'accepted', link)
    const second = await expectOutcome(credit(other, 10), 'accepted', link)
    assert.notEqual(first?.channelId, second?.channelId)
    const swapped = { ...credit(payer, 20), signature: credit(other, 20).signature }
    await expectOutcome(swapped, 'bad-signature', link)
    assert.equal(await expectOutcome(credit(payer, 20), 'accepted', link), first)
    assert.equal(first?.durableUnits, 20)
  })

  it('is refused when replayed or lower, and does not move the credit to another link', async () => {
    const payer = await paying()
    const [first, second] = [{}, {}]
    const voucher = credit(payer, 1_000)
    const account = await expectOutcome(voucher, 'accepted', first)
    await expectOutcome(voucher, 'not-greater', second)
    await expectOutcome(credit(payer, 999), 'not-greater', second)
    assert.equal(account?.boundTo, first)
    assert.equal(account?.durableUnits, 1_000)
    await expectOutcome(credit(payer, 1_001), 'accepted', second)
    assert.equal(account?.boundTo, second)
  })

  it('is accepted once when two links offer it in the same moment', async () => {
    const payer = await paying()
    const voucher = credit(payer, 1_000)
    const links = [{}, {}, {}]
    const offers = await Promise.all(links.map((link) => payee.ledger.offer(voucher, link)))
    const outcomes = offers.map(({ outcome }) => outcome)
    assert.deepEqual(outcomes, ['accepted', 'not-greater', 'not-greater'])
    assert.equal(offers[0]?.account?.boundTo, links[0])
  })

  it('is refused above the deposit until it is topped up', async () => {
    const payer = await paying(MFT)
    await fillTo(payer, 999_950_000)
    const tooMuch = credit(payer, 1_000_000_001)
    await expectOutcome(tooMuch, 'over-deposit')
    const justAll = credit(payer, 1_000_000_000)
    const account = await expectOutcome(justAll, 'accepted')
    await deposit(chain, payer, { payee: payee.account, amount: MFT })
    await expectOutcome(tooMuch, 'over-deposit')
    await payee.confirm()
    await expectOutcome(tooMuch, 'accepted')
    assert.equal(account?.durableUnits, 1_000_000_001)
  })

  it('is refused when more than a window would be unspent', async () => {
    const payer = await paying()
    await expectOutcome(credit(payer, 100_001), 'over-window')
    const account = await expectOutcome(credit(payer, 100_000), 'accepted')
    assert.ok(account)
    await expectOutcome(credit(payer, 100_001), 'over-window')
    account.spentUnits += 1
    await expectOutcome(credit(payer, 100_001), 'accepted')
    assert.equal(account.durableUnits - account.spentUnits, 100_000)
    await expectOutcome({ ...credit(payer, 1), amount: (1n << 96n) - 1n }, 'over-deposit')
  })

  it('is refused for another epoch than the channel’s', async () => {
    const payer = await paying()
    await expectOutcome(credit(payer, 10, { epoch: 0 }), 'wrong-epoch')
    await expectOutcome(credit(payer, 10, { epoch: 2 }), 'wrong-epoch')
  })

  it('is refused while a close is under way, and credit ends with the channel', async () => {
    const payer = await paying()
    const account = await expectOutcome(credit(payer, 1_000), 'accepted')
    assert.ok(account)
    const terms = { payee: payee.account }
    await exit(chain, payer, { ...terms, method: 'requestClose' })
    await payee.confirm()
    await expectOutcome(credit(payer, 2_000), 'closing')
    await exit(chain, payer, { ...terms, method: 'cancelClose' })
    await payee.confirm()
    await expectOutcome(credit(payer, 2_000), 'accepted')
    await exit(chain, payer, { ...terms, method: 'requestClose' })
    await chain.passTime(NOTICE_SECONDS)
    await exit(chain, payer, { ...terms, method: 'finalize' })
    await payee.confirm()
    await expectOutcome(credit(payer, 3_000), 'unknown-channel')
    assert.equal(account.durableUnits - account.spentUnits, 0)
    assert.equal(account.boundTo, undefined)
    await deposit(chain, payer, { ...terms, amount: DEPOSIT })
    await payee.confirm()
    await expectOutcome(credit(payer, 3_000), 'wrong-epoch')
    const anew = await expectOutcome(credit(payer, 10, { epoch: 2 }), 'accepted')
    assert.deepEqual(
      { spent: anew?.spentUnits, durable: anew?.durableUnits },
      { spent: 0, durable: 10 },
    )
  })

  it('finds the relay busy when too many wait to be checked', async () => {
    const small = await startAnother(undefined, { maxPending: 2 })
    const payer = await createPayer(chain)
    await deposit(chain, payer, { payee: small.account, amount: DEPOSIT })
    await small.confirm()
    const vouchers = [10, 20, 30, 40].map((units) =>
      creditOf(chain, payer, { payee: small.account, units }),
    )
    const offers = await Promise.all(vouchers.map((voucher) => small.ledger.offer(voucher, {})))
    const outcomes = offers.map(({ outcome }) => outcome)
    assert.deepEqual(outcomes, ['accepted', 'accepted', 'busy', 'busy'])
  })
})

/** Raises the signed amount in windows, spending each. */
async function fillTo(payer: Payer, units: number): Promise<void> {
  const account = await expectOutcome(credit(payer, 1), 'accepted')
  assert.ok(account)
  account.spentUnits = units
  await expectOutcome(credit(payer, units), 'accepted')
}

describe('credit after a restart', () => {
  it('has nothing unspent, refuses what was signed before, and goes on from there', async () => {
    const first = await startAnother()
    const payer = await createPayer(chain)
    const sign = (units: number) => creditOf(chain, payer, { payee: first.account, units })
    await deposit(chain, payer, { payee: first.account, amount: DEPOSIT })
    await first.confirm()
    await first.ledger.offer(sign(50_000), {})
    const earned = first.ledger.earned()
    await first.stop()
    const second = await startAnother(first)
    assert.deepEqual(second.ledger.earned(), earned)
    assert.equal(earned[chain.deployment.token]?.earnedBase, 50_000n * UNIT)
    assert.equal((await second.ledger.offer(sign(50_000), {})).outcome, 'not-greater')
    const { account } = await second.ledger.offer(sign(50_001), {})
    assert.deepEqual([account?.spentUnits, account?.durableUnits], [50_000, 50_001])
  })

  it('is never less than what was acknowledged when the process is killed', async () => {
    const first = await startAnother()
    const payer = await createPayer(chain)
    await deposit(chain, payer, { payee: first.account, amount: DEPOSIT })
    await first.confirm()
    await first.stop()
    const path = join(first.folder, 'vouchers.log')
    for (const afterMs of [20, 120]) {
      const acknowledged = await acknowledgedBeforeKill({ payee: first, payer, path, afterMs })
      const second = await startAnother(first)
      const [stored] = second.vouchers.entries.values()
      const durable = Number((stored?.amount ?? 0n) / UNIT)
      assert.ok(durable >= acknowledged, `${durable} durable, ${acknowledged} acknowledged`)
      assert.ok(durable <= acknowledged + 10, 'no more than the one that was under way')
      const sign = (units: number) => creditOf(chain, payer, { payee: first.account, units })
      assert.equal((await second.ledger.offer(sign(acknowledged), {})).outcome, 'not-greater')
      const { account } = await second.ledger.offer(sign(durable + 1), {})
      assert.deepEqual([account?.spentUnits, account?.durableUnits], [durable, durable + 1])
      await second.stop()
    }
  })
})

/** Runs a payee in a process of its own and kills it while it accepts; the last units it told of. */
async function acknowledgedBeforeKill(run: {
  payee: Payee
  payer: Payer
  path: string
  afterMs: number
}): Promise<number> {
  const { payee: killed, payer, path, afterMs } = run
  const { rpcUrl, deployment } = chain
  const child = fork(new URL('./accepting-child.ts', import.meta.url), { silent: true })
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk
  })
  // by message: a key must not stand in the arguments of a process
  const secretKey = [...payer.secretKey]
  const task = { chain: { rpcUrl, deployment }, payee: killed.account, path }
  child.send({ ...task, payer: { account: payer.account, secretKey } })
  await once(child.stdout ?? child, 'data')
  await new Promise((resolve) => setTimeout(resolve, afterMs))
  child.kill('SIGKILL')
  await once(child, 'close')
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n')
  return Number(lines.at(-1))
}

describe('credit under any sequence of offers', () => {
  it('is the greatest accepted amount, bound to the link that offered it', async () => {
    const payers: Payer[] = []
    const sequence = fc.array(
      fc.record({ units: fc.integer({ min: 0, max: 300 }), link: fc.nat(2) }),
      { minLength: 1, maxLength: 12 },
    )
    await fc.assert(
      fc.asyncProperty(sequence, async (offers) => {
        const payer = await paying()
        payers.push(payer)
        const links = [{}, {}, {}]
        let greatest = 0
        let bound: object | undefined
        for (const { units, link } of offers) {
          const expected = units > greatest ? 'accepted' : 'not-greater'
          const account = await expectOutcome(credit(payer, units), expected, links[link])
          if (units > greatest) {
            greatest = units
            bound = links[link]
            assert.equal(account?.durableUnits, greatest)
            assert.equal(account?.boundTo, bound)
          }
        }
      }),
      { numRuns: 8 },
    )
    const stored = payers.map(({ account }) =>
      [...payee.vouchers.entries.values()].find(({ payer }: { payer: Hex }) => payer === account),
    )
    assert.ok(stored.length >= 8)
  })
})
