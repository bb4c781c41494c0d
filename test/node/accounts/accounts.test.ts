import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import { type Book, balanceOf, balancesOf } from '../../../node/src/accounts/book.ts'
import {
  type AccountName,
  CHARGED_SERVICES,
  COIN,
  PLACES,
  SOURCES,
} from '../../../node/src/accounts/chart.ts'
import { findDifferences } from '../../../node/src/accounts/compare.ts'
import { gatherFacts } from '../../../node/src/accounts/facts.ts'
import { Seeded } from '../support/seeded.ts'
import { MemoryJournal } from './memory-journal.ts'
import { Model, TOKEN } from './model.ts'

const SEED = Number(process.env['ACCOUNTS_SEED'] ?? Date.now() % 2 ** 32)
const RUNS = Number(process.env['ACCOUNTS_RUNS'] ?? 60)
const STEPS = 120

/** Whole lives of relays, each with a chance of its own; `live` says what to do between the steps. */
async function lives(live: (model: Model, random: Seeded) => Promise<void>): Promise<void> {
  const seeds = new Seeded(SEED)
  for (let run = 0; run < RUNS; run++) {
    const random = seeds.fork()
    try {
      await live(new Model(random), random)
    } catch (error) {
      throw new Error(`ACCOUNTS_SEED=${SEED}, run ${run}`, { cause: error })
    }
  }
}

const sum = (book: Book, medium: Hex, names: readonly AccountName[]) =>
  names.reduce((total, name) => total + balanceOf(book, medium, name), 0n)

/** Every base unit is in one place and came from one source. */
function assertBalanced(book: Book): void {
  for (const medium of [TOKEN, COIN]) {
    assert.equal(sum(book, medium, PLACES), sum(book, medium, SOURCES), 'places are sources')
  }
}

/** And the places are as they truly are, none of them less than empty. */
function assertRight(book: Book, model: Model): void {
  assertBalanced(book)
  for (const { account, base } of balancesOf(book)) assert.ok(base >= 0n, `${account} is ${base}`)
  const { directory, sources, cash } = model
  const facts = gatherFacts({ ...sources, directory: { ...directory, confirmedBlock: 0 } })
  assert.deepEqual(findDifferences(book, { facts, cash, token: TOKEN }), [])
  assert.equal(balanceOf(book, TOKEN, 'advances'), model.unspentBase)
}

describe('The ledger of a relay', () => {
  it(`is balanced and right whatever happens, and knows each service to the last unit (seed ${SEED})`, async () => {
    await lives(async (model, random) => {
      const journal = new MemoryJournal()
      const accounts = model.keep(journal)
      await accounts.flush()
      for (let step = 0; step < STEPS; step++) {
        model.step()
        if (random.below(4) > 0) continue
        await accounts.flush()
        assertRight(journal.book, model)
        const { charged, retired, lost, gas } = model.truth
        for (const service of CHARGED_SERVICES) {
          assert.equal(balanceOf(journal.book, TOKEN, service), charged[service], service)
        }
        assert.equal(balanceOf(journal.book, TOKEN, 'retired'), retired)
        assert.equal(balanceOf(journal.book, TOKEN, 'unattributed'), 0n)
        assert.equal(balanceOf(journal.book, TOKEN, 'lost'), lost)
        assert.equal(balanceOf(journal.book, COIN, 'gas'), gas)
      }
    })
  })

  it('loses nothing and counts nothing twice when its relay is killed, whatever was written', async () => {
    await lives(async (model, random) => {
      let journal = new MemoryJournal()
      let accounts = model.keep(journal)
      for (let step = 0; step < STEPS; step++) {
        model.step()
        const chance = random.below(16)
        if (chance < 3) await accounts.flush()
        if (chance !== 0) continue
        const isClean = random.below(3) === 0
        if (isClean) await accounts.stop()
        journal = journal.reopen(isClean ? 0 : random.below(journal.lastWritten + 1))
        assertBalanced(journal.book)
        model.restart()
        accounts = model.keep(journal)
        const before = balanceOf(journal.book, TOKEN, 'unattributed')
        await accounts.flush()
        assertRight(journal.book, model)
        if (isClean) assert.equal(balanceOf(journal.book, TOKEN, 'unattributed'), before)
      }
      const { book } = journal
      for (const service of CHARGED_SERVICES) {
        assert.ok(balanceOf(book, TOKEN, service) <= model.truth.charged[service], service)
      }
    })
  })
})
