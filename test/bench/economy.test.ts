import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { unitsToBase } from '@mainframe/protocol'
import { benchEconomy, type EconomyFigures } from '../../bench/economy.ts'
import { whenLong } from '../helpers/long.ts'

const SIZE = { relays: 4, clients: 2, messages: 4 }
const quietly = () => {}

describe('the economy', () => {
  it('refuses to be smaller than a path', async () => {
    for (const small of [{ relays: 3 }, { clients: 1 }, { messages: 0 }]) {
      const running = benchEconomy({ ...SIZE, ...small }, quietly)
      await assert.rejects(running, { code: 'VALIDATION_FAILED' })
    }
  })

  describe('of relays with prices and margins of their own', whenLong, () => {
    let figures: EconomyFigures
    before(async () => {
      figures = await benchEconomy(SIZE, quietly)
    })

    it('delivers every message', () => {
      assert.equal(figures.delivered, SIZE.messages)
    })

    it('accounts for every base unit that users deposited', () => {
      const { isBalanced, depositedBase, relaysNetBase, unsignedBase } = figures
      assert.equal(BigInt(depositedBase), BigInt(relaysNetBase) + BigInt(unsignedBase))
      assert.equal(isBalanced, true)
      assert.ok(BigInt(relaysNetBase) > 0n && BigInt(unsignedBase) > 0n)
    })

    it('lets no relay work at a loss, nor for less than a packet costs it', () => {
      assert.equal(figures.relaysAtALoss, 0)
      for (const row of figures.market) {
        const leastUnits = row.packets * row.routeUnits
        assert.ok(row.packets > 0, JSON.stringify(row))
        assert.ok(row.keptUnits >= leastUnits, JSON.stringify(row))
      }
    })

    it('tells what relaying brought from what was paid ahead', () => {
      const sum = (values: bigint[]) => values.reduce((total, value) => total + value, 0n)
      const ahead = sum(figures.market.map(({ windowsBase }) => BigInt(windowsBase)))
      const kept = sum(figures.market.map(({ keptUnits }) => unitsToBase(keptUnits)))
      assert.equal(ahead + kept, BigInt(figures.relaysNetBase))
      assert.ok(ahead > 0n, 'between relays it is nothing in all: what is left is of users')
    })

    it('says what settling cost in gas', () => {
      const { claimGas, depositGas, gasPer1000Packets, packetsSettled } = figures
      assert.ok(claimGas > 0 && depositGas > 0)
      assert.equal(gasPer1000Packets, Math.round((1_000 * claimGas) / packetsSettled))
    })
  })
})
