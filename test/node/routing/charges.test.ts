import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Account, type Charges, treat } from '../../../node/src/routing/rule.ts'
import {
  account,
  forwardOf,
  HOLD_FEE,
  HOUR_EXPIRY,
  inboxPacket,
  namedPacket,
  PRICES,
  relay,
  world,
} from '../support/rule-world.ts'
import { Seeded } from '../support/seeded.ts'

const { routeUnits } = PRICES
const HOLD_UNITS = HOLD_FEE - routeUnits

type Counting = Account & { charges: Charges }

function counting(creditUnits?: number): Counting {
  const charges = { route: 0, hold: 0, onward: 0, surplus: 0 }
  return { ...account(creditUnits), charges }
}

const total = ({ route, hold, onward, surplus }: Charges) => route + hold + onward + surplus

describe('What a packet was charged for', () => {
  it('is nothing when it is refused', () => {
    const payer = counting(HOLD_FEE - 1)
    const refused = [
      treat(world(), { packet: new Uint8Array(9), level: 0, postageUnits: 9, account: payer }),
      treat(world(), { packet: inboxPacket(''), level: 0, postageUnits: HOLD_FEE, account: payer }),
      treat(world(), { packet: inboxPacket(''), level: 0, postageUnits: 99, account: payer }),
    ]
    assert.deepEqual(
      refused.map(({ outcome }) => outcome),
      ['malformed', 'no-credit', 'underpaid'],
    )
    assert.equal(total(payer.charges), 0)
  })

  it('is the route fee for a duplicate', () => {
    const [state, payer] = [world(), counting()]
    const packet = inboxPacket('')
    const arrival = { packet, level: 0, postageUnits: HOLD_FEE + 7, account: payer }
    treat(state, arrival)
    assert.deepEqual(payer.charges, { route: routeUnits, hold: HOLD_UNITS, onward: 0, surplus: 7 })
    assert.equal(treat(state, arrival).outcome, 'seen')
    assert.deepEqual(payer.charges, {
      ...{ route: 2 * routeUnits, hold: HOLD_UNITS, onward: 0, surplus: 7 },
    })
  })

  it('is routing, what goes on with it, and what rounding leaves, where it is passed on', () => {
    const state = world({ self: '0', luminosity: 1, others: [relay('1')] })
    const payer = counting()
    const arrival = { packet: inboxPacket('1'), level: 0, postageUnits: 999, account: payer }
    const verdict = treat(state, arrival)
    assert.ok(verdict.outcome === 'forwarded')
    const { postageUnits } = verdict.shipment
    assert.equal(postageUnits, 896)
    assert.deepEqual(payer.charges, { route: routeUnits, hold: 0, onward: 896, surplus: 3 })
  })

  it('is routing, holding and the copies at a destination', () => {
    const state = world({ others: [relay('1'), relay('01')] })
    const payer = counting()
    const copies = 2 * (HOLD_FEE + 1)
    const postageUnits = HOLD_FEE + copies + 5
    treat(state, { packet: inboxPacket(''), level: 0, postageUnits, account: payer })
    assert.deepEqual(payer.charges, {
      ...{ route: routeUnits, hold: HOLD_UNITS, onward: copies, surplus: 5 },
    })
  })

  it('says nothing of what was inside, neither at the hop that it names nor where it is held', () => {
    const state = world()
    const [address, sealKey] = [state.view.self, state.sealKey.publicKey]
    const instructions = [forwardOf(300), forwardOf(901), { kind: 'drop' } as const]
    for (const luminosity of [256, 0]) {
      const charged = instructions.map((instruction) => {
        const expiry = luminosity === 0 ? { expiryMinutes: HOUR_EXPIRY } : {}
        const packet = namedPacket({ address, sealKey, instruction, luminosity, ...expiry })
        const payer = counting()
        treat(state, { packet, level: 0, postageUnits: 1_000, account: payer })
        return payer.charges
      })
      const [first, ...others] = charged
      assert.equal(first && total(first), 1_000)
      for (const other of others) assert.deepEqual(other, first)
    }
    const payer = counting()
    const packet = namedPacket({ address, sealKey, instruction: forwardOf(300) })
    treat(state, { packet, level: 0, postageUnits: 1_000, account: payer })
    assert.deepEqual(payer.charges, { route: routeUnits, hold: 0, onward: 900, surplus: 0 })
  })

  it('adds up to what was debited, whatever comes', () => {
    const seed = Date.now() % 2 ** 32
    const random = new Seeded(seed)
    const others = ['1', '01', '0010', '0011'].map((bits) => relay(bits))
    const state = world({ self: '0000', luminosity: 2, others })
    const packets = ['', '0', '1', '00', '01'].flatMap((bits) => [
      inboxPacket(bits),
      inboxPacket(bits),
    ])
    const outcomes = new Set<string>()
    for (let i = 0; i < 300; i++) {
      const payer = counting(random.below(5_000))
      const [packet, postageUnits] = [random.pick(packets), random.below(4_000)]
      const level = random.below(4)
      const { outcome } = treat(state, { packet, level, postageUnits, account: payer })
      outcomes.add(outcome)
      assert.equal(total(payer.charges), payer.spentUnits, `seed ${seed}, ${i}: ${outcome}`)
      for (const units of Object.values(payer.charges)) assert.ok(units >= 0, `seed ${seed}, ${i}`)
    }
    assert.ok(outcomes.has('seen') && outcomes.has('held') && outcomes.has('forwarded'), `${seed}`)
  })
})
