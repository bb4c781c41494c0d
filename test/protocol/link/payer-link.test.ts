import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  CAUGHT_UP_FLAG,
  type CreditStop,
  channelId,
  decodeSubscribe,
  domainSeparator,
  encodeFrame,
  equalBytes,
  errorCode,
  LINK_QUEUE_LIMIT,
  MainframeError,
  type PacketRefusal,
  type PayerChannel,
  PayerLink,
  recoverSigner,
  type Shipment,
  secretKeyAccount,
  voucherDigest,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { duplexPair, type TestStream } from '../support/duplex.ts'
import { ackBody, type Payee, type PayeeManners, startPayee } from '../support/payee.ts'

const RATE = 1000n
const WINDOW = 1000
const SECRET = new Uint8Array(32).fill(7)

interface ChannelFigures {
  depositUnits?: number
  signedUnits?: number
  windowUnits?: number
  epoch?: number
}

function makeChannel(figures: ChannelFigures = {}): PayerChannel & { recorded: bigint[] } {
  const signer = secretKeyAccount(SECRET)
  const account = new Uint8Array(20)
  const terms = { payer: account, payee: account, token: account, signer, noticeSeconds: 3600 }
  const recorded: bigint[] = []
  return {
    terms,
    channelId: channelId(terms),
    epoch: figures.epoch ?? 1,
    depositBase: BigInt(figures.depositUnits ?? 1_000_000) * RATE,
    signedBase: BigInt(figures.signedUnits ?? 0) * RATE,
    baseUnitsPerUnit: RATE,
    windowUnits: figures.windowUnits ?? WINDOW,
    domainSeparator: domainSeparator({ chainId: 7n, contract: account }),
    signerSecretKey: SECRET,
    recorded,
    record: async (amount) => void recorded.push(amount),
  }
}

interface Rig {
  link: PayerLink
  stream: TestStream
  remote: TestStream
  payee: Payee
  accepted: Shipment[]
  refused: [Shipment, PacketRefusal][]
  stops: CreditStop[]
  returned: Shipment[]
  delivered: number[]
  /** Units of credit whenever the relay took a voucher. */
  credits: number[]
}

/** A link to a payee that accepts a window 10 % larger than the payer's. */
function rig(manners: Partial<PayeeManners> = {}): Rig {
  const [stream, remote] = duplexPair()
  const payee = startPayee(remote, { maxWindowUnits: 1.1 * WINDOW, ratePerUnit: RATE, ...manners })
  const seen = { accepted: [], refused: [], stops: [], returned: [], delivered: [], credits: [] }
  const out: Omit<Rig, 'link'> = { stream, remote, payee, ...seen }
  const link: PayerLink = new PayerLink(stream, {
    onCredit: () => out.credits.push(link.creditUnits),
    onAccepted: (shipment) => out.accepted.push(shipment),
    onRefused: (shipment, reason) => out.refused.push([shipment, reason]),
    onCreditStopped: (reason) => out.stops.push(reason),
    onClosed: (unacknowledged) => out.returned.push(...unacknowledged),
    onDeliver: (_packet, cursor) => out.delivered.push(cursor),
    onCaughtUp: (cursor) => out.delivered.push(-cursor),
  })
  return { ...out, link }
}

const packet = (postageUnits: number): Shipment => ({
  packet: new Uint8Array(2048),
  postageUnits,
  level: 0,
})

/** Waits until a condition holds, or fails after many turns of the event loop. */
async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 5000; i++) {
    if (condition()) return
    await turn()
  }
  assert.fail(`never: ${what}`)
}

const settle = async (turns = 40) => {
  for (let i = 0; i < turns; i++) await turn()
}

/** A DELIVER frame with an empty packet. */
const delivered = (sequence: number) =>
  encodeFrame({ type: 'deliver', sequence, body: new Uint8Array(2048) })

describe('PayerLink: a reader that has no room', () => {
  function full() {
    const [stream, remote] = duplexPair()
    const room = Promise.withResolvers<void>()
    const cursors: number[] = []
    const link = new PayerLink(stream, {
      onDeliver: (_packet, cursor) => cursors.push(cursor),
      whenRoom: () => room.promise,
    })
    return { link, remote, room, cursors }
  }

  it('is given one batch, and the next when there is room', async () => {
    const { link, remote, room, cursors } = full()
    remote.inject(Buffer.concat([delivered(1), delivered(2)]))
    remote.inject(delivered(3))
    await settle()
    assert.deepEqual(cursors, [1, 2])
    room.resolve()
    await until(() => cursors.length === 3, 'the next batch')
    await link.close()
  })

  it('is given nothing more once the link is closed', async () => {
    const { link, remote, room, cursors } = full()
    remote.inject(delivered(1))
    remote.inject(delivered(2))
    await settle()
    await link.close()
    room.resolve()
    await settle()
    assert.deepEqual(cursors, [1])
  })
})

describe('PayerLink: a relay that misbehaves', () => {
  it('signs at most one window beyond what was shipped when the relay overstates what it debited', async () => {
    const { link, payee, stops } = rig({
      judge: () => 'accepted',
      distort: (ack) => ({ ...ack, spentUnits: ack.durableUnits }),
    })
    const channel = makeChannel({ signedUnits: 500 })
    link.fund(channel)
    link.enqueue(packet(WINDOW))
    await until(() => stops.length > 0, 'the payer notices')
    assert.deepEqual(stops, ['overcharged'])
    assert.equal(channel.signedBase, BigInt(500 + WINDOW) * RATE)
    assert.equal(payee.packets, 0)
  })

  it('gives no window away to a relay that ends link after link', async () => {
    const channel = makeChannel()
    for (let links = 1; links <= 20; links++) {
      const { link, payee } = rig({
        judge: () => 'accepted',
        distort: (ack) => ({ ...ack, spentUnits: ack.durableUnits }),
      })
      link.fund(channel)
      await until(() => payee.credits.length > 0, 'a voucher')
      await settle()
      assert.equal(channel.signedBase, BigInt(links) * RATE, 'one unit a link')
      link.enqueue(packet(2))
      await settle()
      assert.equal(channel.signedBase, BigInt(links + 7) * RATE, 'or four packets, if one waits')
      channel.signedBase = BigInt(links) * RATE
      await link.close()
    }
  })

  it('signs nothing more for packets that the relay refuses and charges for all the same', async () => {
    const { link, payee, refused } = rig({
      judge: () => 'accepted',
      refuse: () => 'busy',
      distort: (ack) => ({ ...ack, spentUnits: Math.max(0, ack.durableUnits - 100) }),
    })
    const channel = makeChannel({ signedUnits: 500 })
    link.fund(channel)
    for (let i = 0; i < 50; i++) link.enqueue(packet(100))
    await settle(200)
    assert.equal(payee.spentUnits, 0)
    assert.ok(refused.length > 0)
    // a window, and what was under way when it was signed, which is a window at most
    assert.ok(channel.signedBase <= BigInt(500 + 2 * WINDOW) * RATE, `${channel.signedBase}`)
  })

  it('stays within shipped + one window whatever totals the relay invents', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(5000), fc.nat(5000)), { minLength: 1, maxLength: 8 }),
        fc.array(fc.integer({ min: 1, max: 250 }), { maxLength: 20 }),
        async (lies, postages) => {
          let turnOf = 0
          const { link, payee } = rig({
            judge: () => 'accepted',
            distort: (ack) => {
              const [spentUnits, durableUnits] = lies[turnOf++ % lies.length] ?? [0, 0]
              return { ...ack, spentUnits, durableUnits }
            },
          })
          const channel = makeChannel({ signedUnits: 300 })
          link.fund(channel)
          for (const postage of postages) link.enqueue(packet(postage))
          await settle()
          const shipped = payee.frames.reduce((sum, frame) => sum + frame.postageUnits, 0)
          assert.ok(channel.signedBase <= BigInt(300 + shipped + WINDOW) * RATE)
          assert.ok(channel.signedBase <= channel.depositBase)
          await link.close()
        },
      ),
      { numRuns: 60 },
    )
  })

  for (const [what, frame] of [
    ['acknowledges what was never sent', { type: 'ack', body: ackBody({ processed: 1 }) }],
    ['judges a voucher that was never sent', { type: 'ack', body: ackBody({ creditSequence: 9 }) }],
    ['sends what only a payer may send', { type: 'packet' }],
    ['sends an ACK that does not decode', { type: 'ack', body: new Uint8Array(2048).fill(255) }],
  ] as const) {
    it(`cuts off a relay that ${what}`, async () => {
      const { link, stream, payee } = rig()
      payee.send(encodeFrame(frame))
      await link.closed
      assert.equal(errorCode(stream.aborted), 'NETWORK_CLOSED')
    })
  }

  it('cuts off a relay that sends garbage', async () => {
    const { link, stream, remote } = rig()
    remote.inject(new Uint8Array(2080).fill(255))
    await link.closed
    assert.equal(errorCode(stream.aborted), 'NETWORK_CLOSED')
  })

  it('ignores everything after a BYE', async () => {
    const { link, payee, delivered } = rig()
    payee.send(encodeFrame({ type: 'bye' }))
    payee.send(encodeFrame({ type: 'deliver', sequence: 5 }))
    await link.closed
    await settle()
    assert.deepEqual(delivered, [])
  })

  it('holds a bounded number of packets in flight when a relay never acknowledges', async () => {
    const { link, payee } = rig({ acknowledges: false })
    payee.send(encodeFrame({ type: 'ack', body: ackBody({ durableUnits: 1e9 }) }))
    link.fund(makeChannel({ depositUnits: 1e9, windowUnits: 1e8 }))
    await until(() => payee.credits.length > 0, 'the first voucher')
    payee.send(
      encodeFrame({ type: 'ack', body: ackBody({ durableUnits: 1e9, creditSequence: 1 }) }),
    )
    await settle()
    let taken = 0
    for (let i = 0; i < 200; i++) {
      for (let k = 0; k < 64 && link.enqueue(packet(1)); k++) taken += 1
      await turn()
    }
    assert.equal(taken, 4096 + LINK_QUEUE_LIMIT)
    assert.equal(payee.packets, 4096)
  })

  it('queues a bounded number of frames for a relay that does not read, and then takes no more', async () => {
    const { link, payee, stream } = rig({ acknowledges: false })
    link.fund(makeChannel({ depositUnits: 1e9, windowUnits: 1e8 }))
    await until(() => payee.credits.length > 0, 'the first voucher')
    const body = ackBody({ durableUnits: 1e9, creditSequence: 1 })
    payee.send(encodeFrame({ type: 'ack', body }))
    await until(() => link.creditUnits > 1e6, 'credit for everything that follows')
    stream.stalled = true
    let taken = 0
    for (let i = 0; i < 200; i++) {
      for (let k = 0; k < 64 && link.enqueue(packet(1)); k++) taken += 1
      await turn()
    }
    assert.ok(!link.canTake(1), 'the router is told before anything is debited')
    assert.ok(payee.packets <= 64, `${payee.packets} left in writes that were not drained`)
    const waiting = taken - payee.packets
    assert.ok(waiting <= LINK_QUEUE_LIMIT + 64, `${waiting} wait`)
    assert.ok(waiting >= LINK_QUEUE_LIMIT)
  })

  it('cuts off a relay that does not read when it closes', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const { link, stream } = rig()
    stream.stalled = true
    const closing = link.close()
    await settle()
    t.mock.timers.tick(2000)
    await closing
    assert.equal(errorCode(stream.aborted), 'NETWORK_TIMEOUT')
  })
})

describe('PayerLink: vouchers', () => {
  it('sends nothing unpaid: every packet is covered by durable credit when it comes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: WINDOW }), { minLength: 1, maxLength: 60 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 7 }),
        async (postages, refusals) => {
          const { link, payee, accepted, refused, stops } = rig({
            refuse: (sequence) => (refusals[sequence % refusals.length] ? 'full' : undefined),
          })
          link.fund(makeChannel())
          for (const postage of postages) assert.ok(link.enqueue(packet(postage)))
          await until(() => accepted.length + refused.length === postages.length, 'all processed')
          assert.equal(payee.unpaid, 0)
          assert.deepEqual(stops, [])
          assert.ok(payee.mostPrepaid <= WINDOW, `prepaid ${payee.mostPrepaid}`)
          await link.close()
        },
      ),
      { numRuns: 100 },
    )
  })

  it('pays before it sends, and keeps credit above half a window when idle', async () => {
    const { link, payee, accepted, credits } = rig()
    link.fund(makeChannel())
    for (let i = 0; i < 500; i++) assert.ok(link.enqueue(packet(90)))
    await until(() => accepted.length === 500, 'all processed')
    await settle()
    assert.ok(link.creditUnits > WINDOW / 2, `credit ${link.creditUnits}`)
    assert.equal(payee.spentUnits, 45_000)
    assert.equal(credits.length, payee.credits.length)
    assert.ok(credits.every((units) => units > 0))
    // not one signature a packet: about four a window
    assert.ok(payee.credits.length < 45 * 4 + 2, `${payee.credits.length} vouchers`)
    const order = payee.frames.map(({ type }) => type)
    assert.ok(order.indexOf('credit') < order.indexOf('packet'))
  })

  it('records an amount before the voucher leaves, and amounts only grow', async () => {
    const { link, payee } = rig()
    const channel = makeChannel()
    const durable: bigint[] = []
    const gate = Promise.withResolvers<void>()
    channel.record = async (amount) => {
      await gate.promise
      durable.push(amount)
    }
    link.fund(channel)
    link.enqueue(packet(10))
    await settle()
    assert.equal(payee.credits.length, 0, 'a voucher left before its amount was durable')
    gate.resolve()
    await until(() => payee.packets === 1, 'the packet')
    const amounts = payee.credits.map(({ amount }) => amount)
    assert.deepEqual(durable, amounts)
    assert.deepEqual(
      amounts,
      [...new Set(amounts)].sort((a, b) => (a < b ? -1 : 1)),
    )
  })

  it('cuts off a relay that judges a voucher which is not sent yet', async () => {
    const { link, payee, stream } = rig()
    const channel = makeChannel()
    channel.record = () => new Promise(() => {})
    link.fund(channel)
    const body = ackBody({ credit: 'busy', creditSequence: 1 })
    payee.send(encodeFrame({ type: 'ack', body }))
    await link.closed
    assert.equal(errorCode(stream.aborted), 'NETWORK_CLOSED')
  })

  it('sends no voucher once it closes, so that what a next link reads is all that was sent', async () => {
    const { link, payee } = rig()
    const channel = makeChannel()
    const gate = Promise.withResolvers<void>()
    channel.record = () => gate.promise
    link.fund(channel)
    const closed = link.close()
    gate.resolve()
    await closed
    await settle()
    assert.deepEqual(
      payee.frames.map(({ type }) => type),
      ['bye'],
    )
  })

  it('ends the link when an amount cannot be recorded', async () => {
    const { link, payee, stream } = rig()
    const channel = makeChannel()
    channel.record = () => Promise.reject(new MainframeError('STORE_FAILED', 'disk full'))
    link.fund(channel)
    await link.closed
    assert.equal(errorCode(stream.aborted), 'INTERNAL')
    assert.equal(payee.credits.length, 0)
  })

  it('signs vouchers that the contract would accept', async () => {
    const { link, payee } = rig()
    const channel = makeChannel({ epoch: 3 })
    link.fund(channel)
    await until(() => payee.credits.length > 0, 'a voucher')
    const { amount, epoch, signature, signer } = payee.credits[0] ?? assert.fail()
    const digest = voucherDigest(channel.domainSeparator, {
      channelId: channel.channelId,
      epoch,
      amount,
    })
    assert.equal(epoch, 3)
    assert.deepEqual(recoverSigner(digest, signature), signer)
  })

  it('learns the totals of an earlier link with one unit, and spends the credit that is left', async () => {
    const { link, payee, accepted } = rig({ durableUnits: 800, spentUnits: 100 })
    const channel = makeChannel({ signedUnits: 800 })
    link.fund(channel)
    link.enqueue(packet(600))
    await until(() => accepted.length === 1, 'the packet')
    assert.equal(payee.credits[0]?.amount, 801n * RATE)
    assert.equal(payee.unpaid, 0)
  })

  it('reports a deposit that is signed away, spends what is left of it, and goes on after a top-up', async () => {
    const { link, accepted, stops, payee } = rig()
    const channel = makeChannel({ depositUnits: 300 })
    link.fund(channel)
    for (let i = 0; i < 4; i++) link.enqueue(packet(100))
    await until(() => accepted.length === 3, 'what the deposit covers')
    await settle()
    assert.deepEqual(stops, ['exhausted'])
    assert.equal(channel.signedBase, channel.depositBase)
    assert.equal(link.canTake(1), false)
    link.fund({ ...channel, depositBase: 10_000n * RATE })
    await until(() => accepted.length === 4, 'the rest')
    assert.equal(payee.unpaid, 0)
  })

  it('stops at a refused voucher until it is funded again', async () => {
    let answer: 'busy' | undefined = 'busy'
    const { link, payee, stops, accepted } = rig({
      judge: ({ amount }) => answer ?? (amount > 0n ? 'accepted' : 'malformed'),
    })
    const channel = makeChannel()
    link.fund(channel)
    link.enqueue(packet(10))
    await until(() => stops.length > 0, 'the refusal')
    await settle()
    assert.deepEqual([stops, payee.credits.length, payee.packets], [['busy'], 1, 0])
    answer = undefined
    link.fund(channel)
    await until(() => accepted.length === 1, 'the packet')
    assert.deepEqual(stops, ['busy'])
  })

  it('does not take an old answer for the answer to a new voucher', async () => {
    const { link, payee, stops, accepted } = rig({ acknowledges: false, judge: () => 'accepted' })
    const channel = makeChannel()
    const answer = (credit: 'busy' | 'accepted', creditSequence: number, durableUnits: number) =>
      payee.send(
        encodeFrame({ type: 'ack', body: ackBody({ credit, creditSequence, durableUnits }) }),
      )
    link.fund(channel)
    link.enqueue(packet(1))
    await until(() => payee.credits.length === 1, 'the first voucher')
    answer('busy', 1, 0)
    await until(() => stops.length === 1, 'the refusal')
    link.fund(channel)
    await until(() => payee.credits.length === 2, 'the second voucher')
    answer('busy', 1, 0) // still of the first: the relay has not come to the second
    await settle()
    assert.deepEqual(stops, ['busy'])
    answer('accepted', 2, 2)
    await until(() => payee.packets === 1, 'the packet')
    assert.equal(accepted.length, 0)
  })

  it('sends an amount again that the relay lost, instead of signing more', async () => {
    let busy = false
    const { link, payee, stops, accepted } = rig({ judge: () => (busy ? 'busy' : 'accepted') })
    const channel = makeChannel()
    link.fund(channel)
    await until(() => link.creditUnits > 0, 'credit')
    busy = true
    link.enqueue(packet(700))
    await until(() => stops.length === 1, 'the refusal')
    const lost = channel.signedBase
    busy = false
    link.fund(channel)
    await until(() => accepted.length === 1, 'the packet')
    assert.deepEqual(
      payee.credits.slice(1, 3).map(({ amount }) => amount),
      [lost, lost],
    )
  })

  it('pays from one channel and epoch only, and never forgets the larger signed amount', async () => {
    const { link } = rig()
    const channel = makeChannel()
    link.fund(channel)
    await until(() => link.creditUnits > 0, 'credit')
    const stale = makeChannel()
    link.fund(stale)
    assert.equal(stale.signedBase, channel.signedBase)
    assert.throws(() => link.fund(makeChannel({ epoch: 2 })), { code: 'VALIDATION_FAILED' })
  })
})

describe('PayerLink: packets', () => {
  it('takes nothing before it is funded, beyond its queue, dearer than a window, or once closed', async () => {
    const { link } = rig({ acknowledges: false })
    assert.equal(link.enqueue(packet(1)), false)
    link.fund(makeChannel())
    assert.equal(link.enqueue(packet(WINDOW + 1)), false)
    for (let i = 0; i < LINK_QUEUE_LIMIT; i++) assert.ok(link.enqueue(packet(1)))
    assert.equal(link.enqueue(packet(1)), false)
    await link.close()
    assert.equal(link.enqueue(packet(1)), false)
  })

  it('reports refused packets with their reason, and the others as accepted', async () => {
    const refuse = (sequence: number) => (sequence % 3 === 0 ? ('underpaid' as const) : undefined)
    const { link, accepted, refused, payee } = rig({ refuse })
    link.fund(makeChannel())
    const shipments = Array.from({ length: 30 }, (_, i) => packet(i + 1))
    for (const shipment of shipments) link.enqueue(shipment)
    await until(() => accepted.length + refused.length === 30, 'all processed')
    assert.deepEqual(
      refused.map(([{ postageUnits }, reason]) => [postageUnits, reason]),
      Array.from({ length: 10 }, (_, i) => [3 * (i + 1), 'underpaid']),
    )
    assert.ok(
      accepted.every((shipment) => shipments.includes(shipment)),
      'the very same objects',
    )
    assert.equal(payee.spentUnits, 465 - 165)
  })

  it('gives back what was queued or not acknowledged when the link ends', async () => {
    const { link, payee, returned, accepted, remote } = rig({
      refuse: () => undefined,
    })
    link.fund(makeChannel({ windowUnits: 100 }))
    const shipments = Array.from({ length: 10 }, () => packet(60))
    for (const shipment of shipments) link.enqueue(shipment)
    await until(() => accepted.length > 0, 'one accepted')
    remote.abort(new MainframeError('NETWORK_CLOSED', 'gone'))
    await link.closed
    assert.equal(accepted.length + returned.length, 10)
    assert.deepEqual([...accepted, ...returned], shipments)
    assert.ok(payee.packets >= accepted.length)
  })

  it('writes BYE last and ships nothing more once it closes', async () => {
    const { link, payee, returned, accepted } = rig()
    link.fund(makeChannel())
    link.enqueue(packet(250))
    await until(() => link.creditUnits === WINDOW - 250 && accepted.length === 1, 'credit')
    for (let i = 0; i < 200; i++) link.enqueue(packet(1))
    await link.close()
    await settle()
    assert.equal(payee.frames.at(-1)?.type, 'bye')
    assert.equal(returned.length, 200)
    assert.ok(payee.packets <= 1 + 64, 'what the writer held')
  })
})

describe('PayerLink: the rest', () => {
  it('exchanges HELLOs, and rejects the handshake when the link ends first', async () => {
    const hello = { version: 1, chainId: 7, channels: new Uint8Array(20) }
    const { link } = rig()
    const answer = await link.handshake({ ...hello, signedQuotes: [] })
    assert.equal(answer.chainId, 7)
    const silent = rig()
    silent.remote.abort(new MainframeError('NETWORK_CLOSED', 'gone'))
    await assert.rejects(silent.link.handshake({ ...hello, signedQuotes: [] }), {
      code: 'NETWORK_CLOSED',
      retryable: true,
    })
  })

  it('subscribes, and hands on deliveries and the end of the replay', async () => {
    const { link, payee, delivered } = rig()
    const prefix = new Uint8Array(32).fill(0xaa)
    link.subscribe({ bits: 5, prefix, cursor: 41 })
    await until(() => payee.frames.length === 1, 'the wish')
    const wish = decodeSubscribe(payee.frames[0]?.body ?? new Uint8Array())
    assert.ok(wish && wish.bits === 5 && wish.cursor === 41 && equalBytes(wish.prefix, prefix))
    payee.send(encodeFrame({ type: 'deliver', sequence: 42, body: new Uint8Array(2048) }))
    payee.send(encodeFrame({ type: 'deliver', sequence: 43, flags: CAUGHT_UP_FLAG }))
    await until(() => delivered.length === 2, 'two deliveries')
    assert.deepEqual(delivered, [42, -43])
  })
})
