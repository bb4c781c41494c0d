import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import { BASE_PER_UNIT, COIN_TOKEN, errorCode, type Hex } from '@mainframe/protocol'
import type { StoredVoucher } from '../../../node/src/payments/voucher-log.ts'
import { Desk, type DeskOptions } from '../../../node/src/watchtower/desk.ts'
import { TowerStore } from '../../../node/src/watchtower/tower-store.ts'
import {
  MAX_BODY_BYTES,
  MAX_SKEW_SECONDS,
  MAX_VOUCHERS,
  SIGNATURE_HEADER,
  TOWER_OUTCOMES,
  VOUCHERS_PATH,
} from '../../../node/src/watchtower/wire.ts'
import {
  type Account,
  createAccount,
  deployment,
  requestOf,
  SeenChain,
  voucher,
} from './support.ts'

let folder: string
let store: TowerStore
let directory: SeenChain

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tower-'))
  store = new TowerStore(folder)
  directory = new SeenChain()
})
afterEach(() => store.remove([...store.entries.keys()]))
after(async () => {
  store.close()
  await rm(folder, { recursive: true })
})

function deskOf(options: Partial<DeskOptions> = {}): Desk {
  const limits = { payees: [], maxPerPayee: 10, maxVouchers: 100 }
  const tokens = new Set([deployment.token])
  return new Desk({ deployment, directory, store, tokens, ...limits, ...options })
}

function newPayee(): Account {
  const payee = createAccount()
  directory.register(payee.account)
  return payee
}

/** Outcome and held units of each voucher of a request that was looked at. */
async function give(desk: Desk, payee: Account, ...vouchers: StoredVoucher[]) {
  const answer = await desk.take(...requestOf(payee, vouchers))
  assert.ok(typeof answer === 'object', String(answer))
  return answer.vouchers.map(({ outcome, epoch, amount }) => [
    outcome,
    epoch,
    Number(BigInt(amount) / BASE_PER_UNIT),
  ])
}

describe('a watchtower', () => {
  it('looks at no request that is none, is old, or is of somebody else', async () => {
    const payee = newPayee()
    const desk = deskOf()
    const [body, signature] = requestOf(payee, [])
    const bent: Uint8Array[] = [
      new Uint8Array(0),
      Buffer.from('[]'),
      Buffer.from('{"payee":"0x12","time":1,"vouchers":[]}'),
      Buffer.from(body.toString().replace('}', ',"more":1}')),
    ]
    for (const other of bent) assert.equal(await desk.take(other, signature), 'malformed')
    const many = Array.from({ length: MAX_VOUCHERS + 1 }, () =>
      voucher(directory.open(payee.account), 1),
    )
    assert.equal(await desk.take(...requestOf(payee, many)), 'malformed')
    const huge = { ...voucher(directory.open(payee.account), 1), amount: 1n << 96n }
    assert.equal(await desk.take(...requestOf(payee, [huge])), 'malformed')

    const nowSeconds = Math.floor(Date.now() / 1_000)
    for (const time of [nowSeconds - 400, nowSeconds + 400]) {
      assert.equal(await desk.take(...requestOf(payee, [], { time })), 'stale')
    }
    const stranger = createAccount()
    assert.equal(await desk.take(...requestOf(stranger, [])), 'unserved')
    const signWith = stranger.secretKey
    assert.equal(await desk.take(...requestOf(payee, [], { signWith })), 'unsigned')
    const of = { ...deployment, chainId: 1 }
    assert.equal(await desk.take(...requestOf(payee, [], { of })), 'unsigned')
    assert.equal(await desk.take(body, new Uint8Array(0)), 'unsigned')
    assert.deepEqual(await desk.take(body, signature), { vouchers: [] })
  })

  it('serves those alone that it was told to serve', async () => {
    const [ours, other] = [newPayee(), newPayee()]
    const desk = deskOf({ payees: [ours.account] })
    assert.equal(await desk.take(...requestOf(other, [])), 'unserved')
    assert.deepEqual(await give(desk, ours), [])
  })

  it('holds vouchers in the tokens that it claims in, and in no others', async () => {
    const payee = newPayee()
    const strange: Hex = `0x${'99'.repeat(20)}`
    const desk = deskOf({ tokens: new Set([deployment.token, COIN_TOKEN]) })
    for (const [token, outcome] of [
      [COIN_TOKEN, 'held'],
      [strange, 'unknown-token'],
    ] as const) {
      const given = voucher(directory.open(payee.account, token), 5)
      const answer = await desk.take(...requestOf(payee, [given], { token }))
      assert.ok(typeof answer === 'object')
      assert.deepEqual(
        answer.vouchers.map((held) => [held.channelId, held.outcome]),
        [[given.channelId, outcome]],
      )
      const other = await desk.take(...requestOf(payee, [given]))
      assert.ok(typeof other === 'object')
      assert.equal(other.vouchers[0]?.outcome, 'unknown-channel', 'the token is part of its name')
    }
  })

  it('holds no voucher that could not be claimed, and says what it holds instead', async () => {
    const payee = newPayee()
    const desk = deskOf()
    const [one, two] = [directory.open(payee.account), directory.open(payee.account)]
    const unknown = new SeenChain().open(payee.account)
    const forged = { ...voucher(one, 9), signature: voucher(two, 9).signature }
    const answers = await give(
      desk,
      payee,
      voucher(unknown, 1),
      forged,
      voucher(one, 1, 2),
      voucher(two, 7),
    )
    assert.deepEqual(answers, [
      ['unknown-channel', 0, 0],
      ['bad-signature', 0, 0],
      ['wrong-epoch', 0, 0],
      ['held', 1, 7],
    ])
    const stolen = await give(desk, newPayee(), voucher(one, 5))
    assert.deepEqual(stolen, [['unknown-channel', 0, 0]], 'a channel is its payee’s')
    assert.equal(store.entries.size, 1)
  })

  it('holds the greatest of each channel, whatever comes after it', async () => {
    const payee = newPayee()
    const desk = deskOf()
    const channel = directory.open(payee.account)
    const vouchers = [3, 9, 5].map((units) => voucher(channel, units))
    assert.deepEqual(await give(desk, payee, ...vouchers), [
      ['held', 1, 9],
      ['held', 1, 9],
      ['held', 1, 9],
    ])
    assert.deepEqual(await give(desk, payee, voucher(channel, 4)), [['held', 1, 9]])
    assert.equal(store.countOf(payee.account), 1)
    assert.equal(store.entries.get(channel.row.channelId)?.amount, 9n * BASE_PER_UNIT)
  })

  it('is bounded for each payee and in all, and what the chain has closed makes room', async () => {
    const [one, two] = [newPayee(), newPayee()]
    const desk = deskOf({ maxPerPayee: 2, maxVouchers: 3 })
    const [a, b, c] = [1, 2, 3].map(() => directory.open(one.account))
    assert.ok(a && b && c)
    const filled = await give(desk, one, voucher(a, 1), voucher(b, 1), voucher(c, 1))
    assert.deepEqual(filled, [
      ['held', 1, 1],
      ['held', 1, 1],
      ['full', 0, 0],
    ])
    const [d, e] = [directory.open(two.account), directory.open(two.account)]
    assert.deepEqual(await give(desk, two, voucher(d, 1), voucher(e, 1)), [
      ['held', 1, 1],
      ['full', 0, 0],
    ])
    assert.deepEqual(await give(desk, one, voucher(a, 2)), [['held', 1, 2]], 'greater ones fit')
    directory.channels.set(a.row.channelId, { ...a.row, state: 'closed' })
    directory.channels.set(b.row.channelId, { ...b.row, epoch: 2 })
    desk.prune()
    assert.deepEqual(await give(desk, one, voucher(c, 1)), [['held', 1, 1]])
    assert.equal(store.entries.size, 2)
  })

  it('looks at one request of a payee at a time, whatever the others send', async () => {
    const [greedy, modest] = [newPayee(), newPayee()]
    const desk = deskOf({ maxPerPayee: 50 })
    const many = Array.from({ length: 40 }, () => voucher(directory.open(greedy.account), 1))
    const few = voucher(directory.open(modest.account), 1)
    const [first, second, other] = await Promise.all([
      desk.take(...requestOf(greedy, many)),
      desk.take(...requestOf(greedy, many)),
      desk.take(...requestOf(modest, [few])),
    ])
    assert.ok(typeof first === 'object' && typeof other === 'object')
    assert.equal(second, 'busy')
    assert.ok(typeof (await desk.take(...requestOf(greedy, []))) === 'object')
  })

  it('takes nothing more when its disk refuses', async () => {
    const payee = newPayee()
    const other = new TowerStore(await mkdtemp(join(folder, 'other-')))
    const desk = deskOf({ store: other })
    other.close()
    const body = requestOf(payee, [voucher(directory.open(payee.account), 1)])
    await assert.rejects(desk.take(...body), (error) => errorCode(error) === 'STORE_FAILED')
    assert.equal(other.entries.size, 0)
  })
})

describe('what a watchtower keeps', () => {
  it('is there when it is opened again, gas and all', async () => {
    const path = await mkdtemp(join(folder, 'kept-'))
    const first = new TowerStore(path)
    const payee = newPayee()
    const vouchers = [5, 6].map((units) => ({
      ...voucher(directory.open(payee.account), units),
      payee: payee.account,
    }))
    first.put(vouchers)
    const old = first.reserveGas(9n, { payee: payee.account, atMs: 10, sinceMs: 0 })
    const reservation = first.reserveGas(500n, { payee: payee.account, atMs: 1_000, sinceMs: 20 })
    first.correctGas(reservation, 400n)
    first.correctGas(old, 1n)
    first.close()
    const second = new TowerStore(path)
    assert.deepEqual([...second.entries.values()].sort(byAmount), vouchers)
    assert.equal(second.countOf(payee.account), 2)
    const gas = [second.gasSince(0), second.gasSince(1_001), second.gasSince(0, payee.account)]
    assert.deepEqual(gas, [400n, 0n, 400n])
    assert.equal(second.gasSince(0, newPayee().account), 0n)
    second.close()
  })

  it('is refused when it is damaged, with the way out', async () => {
    const path = await mkdtemp(join(folder, 'damaged-'))
    await writeFile(
      join(path, 'watchtower.sqlite'),
      'anything but a database, and long enough'.repeat(99),
    )
    assert.throws(
      () => new TowerStore(path),
      (error) => errorCode(error) === 'STORE_CORRUPT' && /move it away/.test(String(error)),
    )
  })
})

describe('docs/watchtower.md', () => {
  it('lists the outcomes and limits that the code has', async () => {
    const text = await readFile(new URL('../../../docs/watchtower.md', import.meta.url), 'utf8')
    const table = text.slice(text.indexOf('| outcome |'), text.indexOf('| status |'))
    const names = [...table.matchAll(/^\| `([a-z-]+)`/gm)].map(([, name]) => name)
    assert.deepEqual(names, TOWER_OUTCOMES)
    assert.ok(text.includes(`at most ${MAX_BODY_BYTES} bytes`))
    assert.ok(text.includes(`up to ${MAX_VOUCHERS} vouchers`))
    assert.ok(text.includes(`at most ${MAX_SKEW_SECONDS} off`))
    assert.ok(text.includes(VOUCHERS_PATH) && text.includes(SIGNATURE_HEADER))
  })
})

const byAmount = (a: StoredVoucher, b: StoredVoucher) => (a.amount < b.amount ? -1 : 1)
