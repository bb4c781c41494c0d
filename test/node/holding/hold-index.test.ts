import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import { discloseAddress, matchesPrefix, type PacketHeader } from '@mainframe/protocol'
import { HoldIndex, type Wish } from '../../../node/src/holding/hold-index.ts'
import { seededRandom } from '../../sdk/support/seeded-random.ts'

const SEED = Number(process.env['HOLD_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
const ENTRIES = 5_000
const HOURS = [10, 11, 12, 13]

interface Entry {
  arrival: number
  hour: number
  offset: number
  header: PacketHeader
}

describe(`The index of what is held (HOLD_SEED=${SEED})`, () => {
  const random = seededRandom(SEED)
  const below = (n: number) => Math.floor(random() * n)
  const address = () => Uint8Array.from({ length: 32 }, () => below(4) * 64)

  function entries(): Entry[] {
    let arrival = 0
    return Array.from({ length: ENTRIES }, (_, offset) => {
      arrival += 1 + below(3)
      const luminosity = below(8)
      const hour = HOURS[below(HOURS.length)] ?? 10
      const header = {
        luminosity,
        address: discloseAddress(address(), luminosity),
        expiryMinutes: 60 * hour - 5 * below(12),
      }
      return { arrival, hour, offset, header }
    })
  }

  function indexOf(all: readonly Entry[]): HoldIndex {
    const index = new HoldIndex()
    for (const { header, ...place } of all) index.push(place, header)
    return index
  }

  const wish = (): Wish => ({ prefix: address(), bits: below(8) })

  /** Everything that fits, found one after the other as a subscription does. */
  function findAll(
    index: HoldIndex,
    wanted: Wish,
    now: { nowMinutes: number; hours: Set<number> },
  ) {
    const found: number[] = []
    for (let cursor = 0, more = true; more; ) {
      const look = index.find(wanted, cursor, now)
      if (look.place) found.push(look.place.arrival)
      ;({ cursor, more } = look)
    }
    return found
  }

  function expected(
    all: readonly Entry[],
    { prefix, bits }: Wish,
    { nowMinutes, hours }: { nowMinutes: number; hours: Set<number> },
  ) {
    return all
      .filter(({ hour, header }) => hours.has(hour) && header.expiryMinutes > nowMinutes)
      .filter(({ header }) =>
        matchesPrefix(header.address, prefix, Math.min(bits, header.luminosity)),
      )
      .map(({ arrival }) => arrival)
  }

  it('finds what a plain search finds, for any wish', () => {
    const all = entries()
    const index = indexOf(all)
    assert.equal(index.size, ENTRIES)
    assert.equal(index.lastArrival, all.at(-1)?.arrival)
    for (let i = 0; i < 20; i++) {
      const [wanted, now] = [wish(), { nowMinutes: 60 * 11 - 30, hours: new Set(HOURS) }]
      assert.deepEqual(findAll(index, wanted, now), expected(all, wanted, now))
    }
  })

  it('is in the order of arrival after files were read one by one', () => {
    const all = entries()
    const index = indexOf(all.toSorted((a, b) => a.hour - b.hour || a.arrival - b.arrival))
    index.sort()
    const [wanted, now] = [
      { prefix: address(), bits: 0 },
      { nowMinutes: 0, hours: new Set(HOURS) },
    ]
    assert.deepEqual(findAll(index, wanted, now), expected(all, wanted, now))
    assert.equal(index.lastArrival, all.at(-1)?.arrival)
  })

  it('forgets files a chunk a turn, and still finds the rest meanwhile', async () => {
    const all = entries()
    const index = indexOf(all)
    const gone = new Set([10, 12])
    let dropped = false
    const dropping = index.drop(gone).then(() => {
      dropped = true
    })
    const now = { nowMinutes: 0, hours: new Set([11, 13]) }
    let turns = 0
    for (; !dropped; turns++) {
      const wanted = wish()
      assert.deepEqual(findAll(index, wanted, now), expected(all, wanted, now))
      await setImmediate()
    }
    await dropping
    assert.ok(turns >= 4, `${turns} turns for ${ENTRIES} entries`)
    assert.equal(index.size, all.filter(({ hour }) => !gone.has(hour)).length)
  })

  it('looks through a bounded number of entries at a time', () => {
    const header = { luminosity: 8, address: new Uint8Array(32), expiryMinutes: 600 }
    const index = new HoldIndex()
    for (let arrival = 1; arrival <= ENTRIES; arrival++) {
      index.push({ arrival, hour: 10, offset: 0 }, header)
    }
    const elsewhere = { prefix: new Uint8Array(32).fill(255), bits: 8 }
    const now = { nowMinutes: 0, hours: new Set([10]) }
    assert.deepEqual(index.find(elsewhere, 0, now), { cursor: 4_096, more: true })
    assert.deepEqual(index.find(elsewhere, 4_096, now), { cursor: ENTRIES, more: false })
  })
})
