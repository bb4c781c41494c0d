import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  BASE_PER_UNIT,
  decodeHello,
  type EndingChannel,
  encodeFrame,
  encodeSubscribe,
  FRAME_BYTES,
  isReleased,
  LINK_VERSION,
  minutesNow,
  openQuote,
  type PayerChannel,
  PayerLink,
  releaseRequest,
  roundUpExpiry,
  unitsToBase,
} from '@mainframe/protocol'
import {
  CHAIN_ID,
  CHANNELS,
  createChannel,
  createPayee,
  DOMAIN,
  MEDIUM,
  type Payee,
  type RawPayer,
  SEPARATOR,
  type TestChannel,
  voucher,
  WINDOW_UNITS,
} from '../support/payee-world.ts'
import { inboxPacket, PRICES } from '../support/rule-world.ts'

const EXPIRY = roundUpExpiry(minutesNow() + 60)
const freshPacket = () => inboxPacket('', EXPIRY)
const POSTAGE = 10 * (PRICES.routeUnits + 66 * PRICES.holdUnitsPerHour)

const endingOf = ({ terms }: TestChannel, units: number): EndingChannel => ({
  terms,
  epoch: 1,
  signedBase: unitsToBase(units),
  domainSeparator: SEPARATOR,
})

describe('A link that is paid for', () => {
  let payee: Payee
  const payers: RawPayer[] = []
  before(async () => {
    payee = await createPayee({ maxLinks: 30 })
  })
  after(() => payee.stop())
  afterEach(async () => {
    for (const payer of payers.splice(0)) payer.abort()
    while (payee.incoming.count > 0) await new Promise((resolve) => setTimeout(resolve, 2))
  })

  async function connect(): Promise<RawPayer> {
    const payer = await payee.connect()
    payers.push(payer)
    payer.hello()
    return payer
  }

  /** Sends a packet and checks that it was refused for want of credit, and went nowhere. */
  async function assertUnpaid(payer: RawPayer): Promise<void> {
    const [forwarded, held] = [payee.forwarded.length, payee.holds.count]
    payer.packet(freshPacket(), POSTAGE)
    assert.equal(await payer.refusal(), 'no-credit')
    assert.equal(payee.forwarded.length, forwarded, 'nothing is forwarded')
    assert.equal(payee.holds.count, held, 'nothing is held')
  }

  it('refuses packets without a channel', async () => {
    const payer = await connect()
    await assertUnpaid(payer)
    const channel = createChannel()
    payer.credit(voucher(channel, 10_000))
    assert.equal(await payer.verdict(), 'unknown-channel')
    await assertUnpaid(payer)
  })

  it('refuses a forged voucher, and packets on it', async () => {
    const channel = payee.confirm(createChannel())
    const payer = await connect()
    payer.credit(voucher(channel, 10_000, { signWith: Uint8Array.from(randomBytes(32)) }))
    assert.equal(await payer.verdict(), 'bad-signature')
    await assertUnpaid(payer)
  })

  it('refuses a voucher above the deposit, and packets on it', async () => {
    const channel = payee.confirm(createChannel(10 * WINDOW_UNITS))
    const payer = await connect()
    payer.credit(voucher(channel, 10 * WINDOW_UNITS + 1))
    assert.equal(await payer.verdict(), 'over-deposit')
    await assertUnpaid(payer)
  })

  it('refuses a voucher of another epoch, too much at a time, and what is no voucher', async () => {
    const channel = payee.confirm(createChannel())
    const payer = await connect()
    payer.credit(voucher(channel, 10_000, { epoch: 2 }))
    assert.equal(await payer.verdict(), 'wrong-epoch')
    payer.credit(voucher(channel, WINDOW_UNITS + 1))
    assert.equal(await payer.verdict(), 'over-window')
    payer.credit(new Uint8Array(2048).fill(0xff))
    assert.equal(await payer.verdict(), 'malformed')
    await assertUnpaid(payer)
  })

  it('takes packets up to the prepaid amount and not one more', async () => {
    const channel = payee.confirm(createChannel())
    const payer = await connect()
    payer.credit(voucher(channel, 2 * POSTAGE))
    assert.equal(await payer.verdict(), 'accepted')
    for (let i = 0; i < 2; i++) {
      payer.packet(freshPacket(), POSTAGE)
      assert.equal(await payer.refusal(), undefined)
    }
    await assertUnpaid(payer)
    const { spentUnits, durableUnits } = payer.acks.at(-1) ?? {}
    assert.deepEqual([spentUnits, durableUnits], [2 * POSTAGE, 2 * POSTAGE])
  })

  it('moves a channel to the link that proves a greater voucher', async () => {
    const channel = payee.confirm(createChannel())
    const [first, second] = [await connect(), await connect()]
    first.credit(voucher(channel, POSTAGE))
    assert.equal(await first.verdict(), 'accepted')
    second.credit(voucher(channel, POSTAGE))
    assert.equal(await second.verdict(), 'not-greater')
    await assertUnpaid(second)
    second.credit(voucher(channel, POSTAGE + 1))
    assert.equal(await second.verdict(), 'accepted')
    await assertUnpaid(first)
    second.packet(freshPacket(), POSTAGE)
    assert.equal(await second.refusal(), undefined)
  })

  it('answers each wish to end a channel, one at a time and so many on a link', async () => {
    const channel = payee.confirm(createChannel())
    const payer = await connect()
    payer.credit(voucher(channel, 2 * POSTAGE))
    await payer.verdict()
    const wish = releaseRequest(endingOf(channel, 2 * POSTAGE), channel.secretKey)
    payer.release(new Uint8Array(2048).fill(0xff))
    payer.release(wish)
    payer.release(wish)
    const answers = await payer.released(3)
    assert.deepEqual(answers.map(({ outcome }) => outcome).sort(), [
      'busy',
      'malformed',
      'released',
    ])
    const answer = answers.find(({ outcome }) => outcome === 'released')
    assert.ok(answer && isReleased(answer, endingOf(channel, 2 * POSTAGE)))
    payer.packet(freshPacket(), POSTAGE)
    assert.equal(await payer.refusal(), undefined, 'what is prepaid may still be used')
    payer.credit(voucher(channel, 3 * POSTAGE))
    assert.equal(await payer.verdict(), 'closing')
    for (let asked = 3; asked <= 16; asked++) payer.release(wish)
    await payer.ended
    assert.ok(payee.incoming.faults.unexpected > 0)
    assert.ok(payee.incoming.releases.released > 0)
  })

  it('acknowledges a packet only after it is durable', async () => {
    const channel = payee.confirm(createChannel())
    const payer = await connect()
    payer.credit(voucher(channel, 10 * POSTAGE))
    await payer.verdict()
    const before = payee.holds.lastArrival
    payer.packet(freshPacket(), POSTAGE)
    await payer.refusal()
    assert.equal(payee.holds.lastArrival, before + 1)
  })

  it('answers HELLO with a quote that its node key signed', async () => {
    const payer = await connect()
    payer.packet(freshPacket(), 1)
    await payer.refusal()
    const hello = payer.frames.find(({ type }) => type === 'hello')
    const quote =
      hello &&
      openQuote(decodeHello(hello.body)?.signedQuotes[0] ?? CHANNELS, payee.nodeKey, DOMAIN)
    assert.ok(quote)
    assert.equal(quote.routeUnits, PRICES.routeUnits)
    assert.equal(quote.minDepositBase, unitsToBase(10 * WINDOW_UNITS))
    assert.ok(quote.expiresAtSeconds > Date.now() / 1000)
  })

  it('answers a payer that speaks newer versions too with the one that both speak', async () => {
    const payer = await payee.connect()
    payers.push(payer)
    payer.hello({ version: LINK_VERSION + 7 })
    payer.packet(freshPacket(), 1)
    await payer.refusal()
    const hello = payer.frames.find(({ type }) => type === 'hello')
    assert.equal(hello && decodeHello(hello.body)?.version, LINK_VERSION)
  })

  it('ends a link that breaks the protocol, and no other', async () => {
    const breaches: [string, (payer: RawPayer) => void][] = [
      ['undecodable', (payer) => payer.raw(new Uint8Array(FRAME_BYTES).fill(0xff))],
      ['undecodable', (payer) => payer.raw(new Uint8Array(FRAME_BYTES - 1))],
      ['wrong-network', (payer) => payer.hello({ chainId: CHAIN_ID + 1 })],
      ['wrong-network', (payer) => payer.hello({ channels: new Uint8Array(20) })],
      ['wrong-version', (payer) => payer.hello({ version: 0 })],
      ['unexpected', (payer) => payer.packet(freshPacket(), 1)],
      ['unexpected', (payer) => payer.raw(encodeFrame({ type: 'ack' }))],
      [
        'out-of-order',
        (payer) => {
          payer.hello()
          payer.raw(encodeFrame({ type: 'packet', sequence: 2, body: freshPacket() }))
        },
      ],
      [
        'out-of-order',
        (payer) => {
          payer.hello()
          payer.raw(encodeFrame({ type: 'credit', sequence: 0 }))
        },
      ],
    ]
    const bystander = await connect()
    for (const [fault, breach] of breaches) {
      const counted = { ...payee.incoming.faults }
      const payer = await payee.connect()
      breach(payer)
      // half a frame is only known to be broken when the stream ends
      if (fault === 'undecodable') setTimeout(() => payer.raw(new Uint8Array(1)), 20)
      await payer.ended
      const now = payee.incoming.faults as Record<string, number>
      assert.equal((now[fault] ?? 0) - ((counted as Record<string, number>)[fault] ?? 0), 1, fault)
    }
    bystander.packet(freshPacket(), POSTAGE)
    assert.equal(await bystander.refusal(), 'no-credit')
  })

  it('accepts no more than a few links of one peer', async () => {
    await Promise.all(Array.from({ length: 4 }, () => connect()))
    const tooMany = await payee.connect()
    await tooMany.ended
    assert.ok(payee.incoming.faults['too-many-links'] >= 1)
  })

  it('names every refusal of a long batch, in several acknowledgements', async () => {
    const payer = await connect()
    const packet = freshPacket()
    for (let i = 0; i < 700; i++) payer.packet(packet, POSTAGE)
    await payer.refusal()
    const refused = payer.acks.flatMap((ack) => ack.refused.map(({ sequence }) => sequence))
    assert.equal(refused.length, 700)
    assert.deepEqual(
      refused,
      Array.from({ length: 700 }, (_, i) => i + 1),
    )
  })

  it('delivers to a subscriber what it holds, then live packets', async () => {
    const channel = payee.confirm(createChannel())
    const payer = await connect()
    payer.credit(voucher(channel, 20 * POSTAGE))
    await payer.verdict()
    const cursor = payee.holds.lastArrival
    const subscriber = await connect()
    const body = encodeSubscribe({ bits: 0, prefix: new Uint8Array(32), cursor })
    subscriber.raw(encodeFrame({ type: 'subscribe', body }))
    const packet = freshPacket()
    payer.packet(packet, POSTAGE)
    await payer.refusal()
    const delivered = () => subscriber.frames.filter(({ type }) => type === 'deliver')
    while (delivered().length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
    const found = delivered().find(({ flags }) => flags === 0)
    assert.ok(found)
    assert.equal(Buffer.compare(found.body, packet), 0)
    assert.equal(found.sequence, cursor + 1)
  })

  it('carries thousands of packets a second from a PayerLink, each paid', async (t) => {
    const channel = payee.confirm(createChannel(200 * WINDOW_UNITS))
    const count = 3_000
    const packets = Array.from({ length: count }, freshPacket)
    let accepted = 0
    const done = Promise.withResolvers<void>()
    const link = new PayerLink(await payee.openStream(), {
      onAccepted: () => {
        accepted += 1
        if (accepted === count) done.resolve()
      },
      onRefused: (_, reason) => done.reject(new Error(reason)),
      onCreditStopped: (reason) => done.reject(new Error(reason)),
    })
    const hello = { version: LINK_VERSION, chainId: CHAIN_ID, channels: CHANNELS }
    await link.handshake({ ...hello, signedQuotes: [] })
    let recorded = 0n
    const paying: PayerChannel = {
      terms: channel.terms,
      channelId: channel.id,
      epoch: 1,
      depositBase: channel.row.deposit,
      signedBase: 0n,
      baseUnitsPerUnit: BASE_PER_UNIT,
      windowUnits: WINDOW_UNITS - 1,
      domainSeparator: SEPARATOR,
      signerSecretKey: channel.secretKey,
      record: async (amount) => {
        recorded = amount
      },
    }
    link.fund(paying)
    const start = performance.now()
    for (const packet of packets) {
      while (!link.enqueue({ packet, postageUnits: POSTAGE, level: 0 })) {
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
    }
    await done.promise
    const perSecond = Math.round(count / ((performance.now() - start) / 1000))
    t.diagnostic(`${perSecond} packets a second, paid, held and acknowledged`)
    await link.close()
    assert.ok(recorded >= unitsToBase(count * POSTAGE))
    const { unclaimedBase = 0n } = payee.ledger.earned()[MEDIUM.token] ?? {}
    assert.ok(unclaimedBase >= unitsToBase(count * POSTAGE))
    assert.deepEqual(payee.failures, [])
  })
})
