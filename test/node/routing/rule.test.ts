import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  createKeyPair,
  PACKET_BYTES,
  packetId,
  padPacket,
  roundDownPostage,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { PACKET_OUTCOMES } from '../../../node/src/routing/outcomes.ts'
import { type Arrival, type RuleState, treat } from '../../../node/src/routing/rule.ts'
import {
  account,
  addressOf,
  forwardOf,
  HOLD_FEE,
  HOUR_EXPIRY,
  inboxPacket,
  linkTo,
  NOW_MINUTES,
  NOW_MS,
  namedPacket,
  PRICES,
  relay,
  world,
} from '../support/rule-world.ts'

function arrival(packet: Uint8Array, fields: Partial<Arrival> = {}): Arrival {
  return { packet, level: 0, postageUnits: HOLD_FEE, account: account(), ...fields }
}

/** Copies of a packet with single fields overwritten. */
function patched(packet: Uint8Array, offset: number, ...bytes: number[]): Uint8Array {
  const copy = packet.slice()
  copy.set(bytes, offset)
  return copy
}

describe('The rule, step 1: decode', () => {
  it('calls packets of another length malformed', () => {
    for (const length of [0, 1, 39, PACKET_BYTES - 1, PACKET_BYTES + 1]) {
      const verdict = treat(world(), arrival(new Uint8Array(length)))
      assert.equal(verdict.outcome, 'malformed')
    }
  })

  it('survives the 33-byte address that once crashed every node: bits past the luminosity', () => {
    const packet = inboxPacket('1010')
    // luminosity 264 would take the address past its 32 bytes
    assert.equal(treat(world(), arrival(patched(packet, 1, 0x01, 0x08))).outcome, 'malformed')
    for (const luminosity of [129, 255, 257, 0xffff]) {
      const bytes = [luminosity >> 8, luminosity & 0xff]
      const verdict = treat(world(), arrival(patched(packet, 1, ...bytes)))
      assert.equal(verdict.outcome, 'malformed', `luminosity ${luminosity}`)
    }
    assert.equal(treat(world(), arrival(patched(packet, 34, 1))).outcome, 'malformed')
  })

  it('calls other versions by their name', () => {
    assert.equal(treat(world(), arrival(patched(inboxPacket(''), 0, 2))).outcome, 'version')
  })

  it('refuses what has expired, and expiries off the grid', () => {
    const packet = inboxPacket('', NOW_MINUTES - (NOW_MINUTES % 5))
    assert.equal(treat(world(), arrival(packet)).outcome, 'expired')
    const last = (HOUR_EXPIRY + 1) & 0xff
    assert.equal(treat(world(), arrival(patched(inboxPacket(''), 38, last))).outcome, 'malformed')
  })

  it('refuses lives beyond the horizon: 14 days for holds, half an hour for named legs', () => {
    const tooLong = inboxPacket('', HOUR_EXPIRY + 15 * 24 * 60)
    assert.equal(treat(world(), arrival(tooLong)).outcome, 'too-far')
    const named = namedPacket({
      address: addressOf('0000', 0x5a),
      sealKey: createKeyPair().publicKey,
      instruction: { kind: 'drop' },
      expiryMinutes: HOUR_EXPIRY,
    })
    assert.equal(treat(world(), arrival(named)).outcome, 'too-far')
  })

  it('lets nobody stretch a life: a changed expiry opens for no key', () => {
    const state = world()
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    const packet = namedPacket({ address, sealKey, instruction: forwardOf(300) })
    const postageUnits = 1_000
    const later = patched(packet, 35, ...fiveMinutesLater(packet))
    const tampered = treat(state, arrival(later, { postageUnits }))
    assert.deepEqual(tampered, { outcome: 'named', opened: undefined })
    const honest = treat(state, arrival(packet, { postageUnits }))
    assert.equal(honest.outcome === 'named' && honest.opened?.outcome, 'forward')
  })
})

function fiveMinutesLater(packet: Uint8Array): number[] {
  const out = Buffer.alloc(4)
  out.writeUInt32BE(Buffer.from(packet).readUInt32BE(35) + 5)
  return [...out]
}

describe('The rule, step 5: seen', () => {
  it('takes the route fee alone for a duplicate, and no more', () => {
    const state = world()
    const payer = account()
    const packet = inboxPacket('')
    assert.equal(treat(state, arrival(packet, { account: payer })).outcome, 'held')
    const spent = payer.spentUnits
    assert.equal(treat(state, arrival(packet, { account: payer })).outcome, 'seen')
    assert.equal(payer.spentUnits - spent, PRICES.routeUnits)
  })

  it('refuses a duplicate that cannot pay the route fee', () => {
    const state = world()
    const packet = inboxPacket('')
    treat(state, arrival(packet))
    assert.equal(treat(state, arrival(packet, { postageUnits: 99 })).outcome, 'underpaid')
    const poor = treat(state, arrival(packet, { account: account(PRICES.routeUnits - 1) }))
    assert.equal(poor.outcome, 'no-credit')
  })

  it('does not remember what it refused', () => {
    const state = world()
    const packet = inboxPacket('')
    assert.equal(treat(state, arrival(packet, { account: undefined })).outcome, 'no-credit')
    assert.equal(treat(state, arrival(packet)).outcome, 'held')
  })

  it('answers busy when its memory is full, and evicts nothing', () => {
    const state = world({ capacity: 1 })
    const first = inboxPacket('')
    assert.equal(treat(state, arrival(first)).outcome, 'held')
    assert.equal(treat(state, arrival(inboxPacket(''))).outcome, 'busy')
    assert.equal(state.seen.levelOf(packetId(first), NOW_MS), 0)
    // for a copy as well: an answer that differs would tell for nothing what was seen
    assert.equal(treat(state, arrival(first)).outcome, 'busy')
    const hourLater = { ...state, nowMs: NOW_MS + 40 * 60_000 }
    assert.equal(treat(hourLater, arrival(inboxPacket(''))).outcome, 'held')
  })

  it('spreads a copy of a lower level for the missing relays only, at full price', () => {
    const others = ['1', '01', '001'].map((bits) => relay(bits))
    const state = world({ self: '000', luminosity: 3, others })
    const packet = inboxPacket('')
    const payer = account()
    const rich = { account: payer, postageUnits: 10 * HOLD_FEE }
    const first = treat(state, arrival(packet, { ...rich, level: 2 }))
    assert.equal(first.outcome, 'held')
    const second = treat(state, arrival(packet, { ...rich, level: 0 }))
    assert.equal(second.outcome, 'respread')
    assert.equal(payer.spentUnits, 20 * HOLD_FEE)
    const reached = (verdict: typeof first) =>
      verdict.outcome === 'held' || verdict.outcome === 'respread'
        ? verdict.copies.flatMap(({ relays }) => relays.map(({ peerKey }) => peerKey)).sort()
        : []
    assert.deepEqual(reached(first), ['001'])
    assert.deepEqual(reached(second), ['01', '1'])
    assert.equal(treat(state, arrival(packet, { ...rich, level: 1 })).outcome, 'seen')
  })

  it('spreads a copy of the same level when the one before did not pay for all that it covers', () => {
    const others = ['1', '01', '001'].map((bits) => relay(bits))
    const packet = inboxPacket('')
    const copyFee = HOLD_FEE + 1
    for (const [paidBefore, left] of [
      [0, 3],
      [copyFee - 1, 3],
      [2 * copyFee, undefined],
      [3 * copyFee, 0],
    ] as const) {
      const state = world({ self: '000', luminosity: 3, others })
      const first = treat(state, arrival(packet, { postageUnits: HOLD_FEE + paidBefore }))
      assert.ok(first.outcome === 'held')
      const payer = account()
      const again = treat(state, arrival(packet, { postageUnits: 9 * HOLD_FEE, account: payer }))
      assert.equal(again.outcome, left === 0 ? 'seen' : 'respread')
      assert.equal(payer.spentUnits, left === 0 ? PRICES.routeUnits : 9 * HOLD_FEE)
      const copies = again.outcome === 'respread' ? again.copies : []
      if (left !== undefined) assert.equal(copies.length, left)
      const reached = [...first.copies, ...copies].flatMap(({ relays }) => relays)
      assert.equal(new Set(reached).size, 3, `${paidBefore} units paid before`)
      assert.equal(treat(state, arrival(packet, { postageUnits: 9 * HOLD_FEE })).outcome, 'seen')
    }
  })

  it('never spreads a named leg, whatever level it claims', () => {
    const state = world({ others: [relay('1')] })
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    const packet = namedPacket({ address, sealKey, instruction: { kind: 'drop' } })
    assert.equal(treat(state, arrival(packet, { level: 256 })).outcome, 'named')
    assert.equal(treat(state, arrival(packet, { level: 0 })).outcome, 'seen')
  })
})

describe('The rule, step 3: where', () => {
  it('is busy without a linked peer that is strictly closer', () => {
    const others = [relay('1'), relay('01')]
    const state = world({ self: '00', luminosity: 1, others, links: [linkTo(relay('01'))] })
    assert.equal(treat(state, arrival(inboxPacket('1'))).outcome, 'busy')
  })

  it('is busy when the only closer peer cannot take it', () => {
    const others = [relay('1')]
    const state = world({ self: '0', luminosity: 1, others, links: [linkTo(relay('1'), false)] })
    const payer = account()
    assert.equal(treat(state, arrival(inboxPacket('1'), { account: payer })).outcome, 'busy')
    assert.equal(payer.spentUnits, 0)
  })

  it('passes on to the closest peer, less its fee, rounded down to the grid', () => {
    const others = [relay('10'), relay('110'), relay('111')]
    const state = world({ self: '0', luminosity: 3, others })
    const verdict = treat(state, arrival(inboxPacket('111'), { postageUnits: 999, level: 0 }))
    assert.equal(verdict.outcome, 'forwarded')
    if (verdict.outcome !== 'forwarded') return
    assert.equal(verdict.to.relay.peerKey, '111')
    assert.equal(verdict.shipment.postageUnits, roundDownPostage(999 - PRICES.routeUnits))
    assert.equal(verdict.shipment.postageUnits, 896)
  })

  it('chooses at random among equally close peers', () => {
    const others = ['100', '101', '110'].map((bits) => relay(bits))
    for (const [chosen, key] of [
      ['100', 0],
      ['101', 1],
      ['110', 2],
    ] as const) {
      const overrides = { random: () => key }
      const state = world({ self: '0', luminosity: 1, others, overrides })
      const verdict = treat(state, arrival(inboxPacket('1'), { postageUnits: 1_000 }))
      assert.equal(verdict.outcome === 'forwarded' && verdict.to.relay.peerKey, chosen)
    }
  })

  it('takes what matches nobody if it is the closest of all, and spreads it to nobody', () => {
    const others = [relay('000'), relay('01')]
    const state = world({ self: '100', others })
    const packet = inboxPacket('111')
    const verdict = treat(state, arrival(packet, { postageUnits: 10 * HOLD_FEE }))
    assert.ok(verdict.outcome === 'held')
    assert.deepEqual(verdict.copies, [])
    const fromAfar = world({ self: '000', others: [relay('100'), relay('01')] })
    const passed = treat(fromAfar, arrival(packet, { postageUnits: 10 * HOLD_FEE }))
    assert.equal(passed.outcome === 'forwarded' && passed.to.relay.peerKey, '100')
  })

  it('opens a named leg only at the relay that it names', () => {
    const other = relay('1')
    const state = world({ others: [other] })
    const sealKey = state.sealKey.publicKey
    const packet = namedPacket({ address: other.address, sealKey, instruction: { kind: 'drop' } })
    assert.equal(treat(state, arrival(packet, { postageUnits: 500 })).outcome, 'forwarded')
  })
})

describe('The rule, step 4: price', () => {
  const cases = [
    ['a destination', world(), inboxPacket(''), HOLD_FEE],
    ['a named hop', world(), undefined, PRICES.routeUnits],
    [
      'a relay on the way, with the next hop',
      world({ self: '0', luminosity: 1, others: [relay('1')] }),
      inboxPacket('1'),
      // 160 is on the grid of amounts; 159 would be rounded down to 152
      PRICES.routeUnits + HOLD_FEE,
    ],
  ] as const
  for (const [where, state, given, least] of cases) {
    it(`asks its fee at ${where} before it does anything`, () => {
      const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
      const packet = given ?? namedPacket({ address, sealKey, instruction: { kind: 'drop' } })
      const payer = account()
      const paying = (postageUnits: number) => arrival(packet, { postageUnits, account: payer })
      assert.equal(treat(state, paying(least - 1)).outcome, 'underpaid')
      assert.equal(treat(state, paying(0)).outcome, 'underpaid')
      assert.equal(payer.spentUnits, 0)
      assert.notEqual(treat(state, paying(least)).outcome, 'underpaid')
      assert.equal(payer.spentUnits, least)
    })
  }

  it('refuses before the debit what a dear next hop would cost more than is left of', () => {
    const dear = { ...PRICES, routeUnits: 10 * PRICES.routeUnits }
    const state = world({ self: '0', luminosity: 1, others: [relay('1', dear)] })
    const hopFee = HOLD_FEE - PRICES.routeUnits + dear.routeUnits
    const payer = account()
    const packet = inboxPacket('1')
    for (const postageUnits of [PRICES.routeUnits, hopFee, hopFee + PRICES.routeUnits - 1]) {
      const verdict = treat(state, arrival(packet, { postageUnits, account: payer }))
      assert.equal(verdict.outcome, 'underpaid', `${postageUnits}`)
    }
    assert.equal(payer.spentUnits, 0)
    const verdict = treat(state, arrival(packet, { postageUnits: 2 * hopFee, account: payer }))
    assert.equal(verdict.outcome, 'forwarded')
  })

  it('never passes on more than came in less its own fee, whatever anybody asks', () => {
    const price = fc.record({
      routeUnits: fc.integer({ min: 1, max: 1_000_000 }),
      holdUnitsPerHour: fc.integer({ min: 1, max: 1_000 }),
    })
    const property = fc.property(
      fc.integer({ min: 0, max: 10_000_000 }),
      price,
      fc.array(price, { minLength: 1, maxLength: 6 }),
      fc.constantFrom('', '0', '1'),
      (postageUnits, prices, others, bits) => {
        const peers = others.map((other, i) => relay(i.toString(2).padStart(4, '0'), other))
        const state = world({ self: '01111', luminosity: 1, others: peers, overrides: { prices } })
        const payer = account(postageUnits)
        const verdict = treat(state, arrival(inboxPacket(bits), { postageUnits, account: payer }))
        const isCopied = verdict.outcome === 'held' || verdict.outcome === 'respread'
        const copies = isCopied ? verdict.copies.map((copy) => copy.postageUnits) : []
        const passed = verdict.outcome === 'forwarded' ? [verdict.shipment.postageUnits] : copies
        const passedUnits = passed.reduce((sum, units) => sum + units, 0)
        if (payer.spentUnits === 0) assert.equal(passedUnits, 0)
        else assert.ok(payer.spentUnits - passedUnits >= prices.routeUnits)
      },
    )
    fc.assert(property)
  })

  it('refuses to hold when the quota is used up, before the debit', () => {
    const state = world({ overrides: { holdHasRoom: false } })
    const payer = account()
    const verdict = treat(state, arrival(inboxPacket(''), { account: payer }))
    assert.equal(verdict.outcome, 'full')
    assert.equal(payer.spentUnits, 0)
  })

  it('takes nothing on credit: neither without a channel nor one unit over', () => {
    for (const payer of [undefined, account(HOLD_FEE - 1)]) {
      const verdict = treat(world(), arrival(inboxPacket(''), { account: payer }))
      assert.equal(verdict.outcome, 'no-credit')
      assert.equal(payer?.spentUnits ?? 0, 0)
    }
    assert.equal(
      treat(world(), arrival(inboxPacket(''), { account: account(HOLD_FEE) })).outcome,
      'held',
    )
  })
})

describe('A refusal, which costs nothing, says nothing of what was seen', () => {
  type Case = readonly [refusal: string, state: Partial<RuleState>, fields: Partial<Arrival>]
  const RICH = 10 * HOLD_FEE
  const LEVELS = [0, 1, 2, 256]
  const near = relay('1')
  const always: readonly Case[] = [
    ['no-credit', {}, { account: undefined }],
    ['no-credit', {}, { account: account(RICH - 1) }],
    // before anything is looked up: neither a way nor room nor a price matters yet
    ['no-credit', { holdHasRoom: false, links: [] }, { account: undefined, postageUnits: 1 }],
    ['underpaid', {}, { postageUnits: PRICES.routeUnits - 1 }],
    ['underpaid', {}, { postageUnits: 0 }],
  ]

  /** The same offers of a packet before and after it was taken, at every level. */
  function assertAlike(state: RuleState, packet: Uint8Array, cases: readonly Case[]): void {
    const ask = ([, change, fields]: Case) =>
      LEVELS.map((level) => {
        const paying = { account: account(), level, postageUnits: RICH, ...fields }
        const { outcome } = treat({ ...state, ...change }, arrival(packet, paying))
        assert.equal(paying.account?.spentUnits ?? 0, 0)
        return outcome
      })
    const whenNew = cases.map(ask)
    assert.deepEqual(
      whenNew,
      cases.map(([refusal]) => LEVELS.map(() => refusal)),
    )
    treat(state, arrival(packet, { level: 2, postageUnits: RICH }))
    assert.notEqual(state.seen.levelOf(packetId(packet), NOW_MS), undefined)
    assert.deepEqual(cases.map(ask), whenNew)
  }

  it('at a destination', () => {
    const state = world({ luminosity: 1, others: [near] })
    assertAlike(state, inboxPacket('0'), [
      ...always,
      ['full', { holdHasRoom: false }, {}],
      // the route fee is what a copy costs, but not enough for a new packet
      ['underpaid', {}, { postageUnits: PRICES.routeUnits }],
      ['underpaid', {}, { postageUnits: HOLD_FEE - 1 }],
    ])
  })

  it('on the way', () => {
    const state = world({ luminosity: 1, others: [near] })
    assertAlike(state, inboxPacket('1'), [
      ...always,
      ['busy', { links: [] }, {}],
      ['busy', { links: [linkTo(near, false)] }, {}],
      ['underpaid', {}, { postageUnits: PRICES.routeUnits + HOLD_FEE - 1 }],
    ])
  })

  it('at a named hop', () => {
    const state = world({ others: [near] })
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    assertAlike(state, namedPacket({ address, sealKey, instruction: { kind: 'drop' } }), always)
  })

  it('with a memory that is full', () => {
    const state = world({ capacity: 1 })
    const packet = inboxPacket('')
    treat(state, arrival(packet))
    for (const level of LEVELS) {
      for (const asked of [packet, inboxPacket('')]) {
        assert.equal(treat(state, arrival(asked, { level })).outcome, 'busy')
      }
    }
  })

  it('while to be told that it was seen costs the route fee', () => {
    const state = world()
    const packet = inboxPacket('')
    treat(state, arrival(packet))
    const payer = account(HOLD_FEE)
    assert.equal(treat(state, arrival(packet, { account: payer })).outcome, 'seen')
    assert.equal(payer.spentUnits, PRICES.routeUnits)
  })
})

describe('The rule, step 6: what was opened', () => {
  const open = (options: {
    postageUnits?: number
    named?: number
    overrides?: Parameters<typeof world>[0]
    luminosity?: number
  }) => {
    const state = world(options.overrides)
    const packet = namedPacket({
      address: state.view.self,
      sealKey: state.sealKey.publicKey,
      instruction: forwardOf(options.named ?? 500),
      ...(options.luminosity === undefined ? {} : { luminosity: options.luminosity }),
    })
    const verdict = treat(state, arrival(packet, { postageUnits: options.postageUnits ?? 600 }))
    assert.ok(verdict.outcome === 'named' || verdict.outcome === 'held')
    return verdict.opened?.outcome
  }

  it('forwards what names no more than what came in, less its fee', () => {
    assert.equal(open({ postageUnits: 600, named: 500 }), 'forward')
    assert.equal(open({ postageUnits: 600, named: 501 }), 'short')
  })

  it('does not forward from a leg that is not named, which could be replayed for days', () => {
    assert.equal(open({ luminosity: 8 }), 'misplaced')
  })

  it('does not forward what it may have forwarded before a crash', () => {
    const forgotten = { overrides: { forgottenUntilMinutes: NOW_MINUTES + 32 } }
    assert.equal(open({ overrides: forgotten }), 'restarted')
  })

  it('acts once on an encapsulated key, whatever the padding', () => {
    const state = world()
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    const packet = namedPacket({ address, sealKey, instruction: forwardOf(300) })
    const opened = (bytes: Uint8Array) => {
      const verdict = treat(state, arrival(bytes, { postageUnits: 1_000 }))
      return verdict.outcome === 'named' ? verdict.opened?.outcome : verdict.outcome
    }
    assert.equal(opened(packet), 'forward')
    assert.equal(opened(patched(packet, PACKET_BYTES - 1, 1 ^ (packet.at(-1) ?? 0))), 'repeated')
  })

  it('treats a packet that it opened exactly like one that it did not', () => {
    const others = [relay('1'), relay('01')]
    const state = world({ others })
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    const message = { kind: 'message', messageId: new Uint8Array(16), index: 0, count: 1 } as const
    const instruction = { ...message, payload: new Uint8Array(3) }
    const ours = namedPacket({
      address,
      sealKey,
      instruction,
      luminosity: 0,
      expiryMinutes: HOUR_EXPIRY,
    })
    const theirs = inboxPacket('')
    const [a, b] = [ours, theirs].map((packet) => {
      const payer = account()
      const verdict = treat(
        state,
        arrival(packet, { account: payer, postageUnits: 3 * HOLD_FEE + 2 }),
      )
      assert.ok(verdict.outcome === 'held')
      const copies = verdict.copies.map(({ level, postageUnits }) => ({ level, postageUnits }))
      return { opened: verdict.opened?.outcome, shown: { copies, spent: payer.spentUnits } }
    })
    assert.equal(a?.opened, 'message')
    assert.equal(b?.opened, undefined)
    assert.deepEqual(a?.shown, b?.shown)
  })

  it('drops a content that is damaged or no instruction', () => {
    const state = world()
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    const packet = namedPacket({ address, sealKey, instruction: { kind: 'drop' } })
    const verdict = treat(state, arrival(patched(packet, 200, 1 ^ (packet[200] ?? 0))))
    assert.equal(verdict.outcome === 'named' && verdict.opened?.outcome, 'damaged')
  })
})

describe('The rule as a whole', () => {
  it('never throws, and debits no more than the postage, for any bytes', () => {
    const others = ['1', '01', '0010', '0011'].map((bits) => relay(bits))
    const state = world({ self: '0000', luminosity: 2, others })
    const lures = [inboxPacket(''), inboxPacket('00'), inboxPacket('1')]
    const mutated = fc
      .tuple(
        fc.constantFrom(...lures),
        fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 6 }),
      )
      .map(([lure, changes]) => changes.reduce((p, [at, byte]) => patched(p, at, byte), lure))
    const packets = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.uint8Array({ minLength: 2048, maxLength: 2048 }),
      fc.uint8Array({ maxLength: 2048 }).map((bytes) => padPacket(bytes)),
      mutated,
    )
    fc.assert(
      fc.property(
        packets,
        fc.nat(256),
        fc.nat(2_000),
        fc.option(fc.nat(3_000), { nil: undefined }),
        (packet, level, postageUnits, credit) => {
          const payer = credit === undefined ? undefined : account(credit)
          const { outcome } = treat(
            { ...state, nowMs: NOW_MS },
            arrival(packet, { level, postageUnits, account: payer }),
          )
          assert.ok(PACKET_OUTCOMES.includes(outcome))
          assert.ok((payer?.spentUnits ?? 0) <= Math.min(postageUnits, credit ?? 0))
        },
      ),
      { numRuns: 400 },
    )
  })
})
