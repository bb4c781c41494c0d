import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { type OverlayRow, runOverlay } from '../../bench/overlay.ts'

const SEED = 20_261_126
const DEAD_SHARES = [0, 0.1, 0.3]

describe(`The simulated overlay (seed ${SEED})`, () => {
  let rows: OverlayRow[] = []
  before(async () => {
    const options = { seed: SEED, sizes: [100, 1_000], deadShares: DEAD_SHARES, messages: 30 }
    rows = await runOverlay(options)
  })

  const targeted = () => rows.filter(({ disclosed }) => disclosed > 0)
  const toEverybody = () => rows.filter(({ disclosed }) => disclosed === 0)

  it('refuses to run nothing', async () => {
    const options = { seed: SEED, sizes: [100], deadShares: [0], messages: 1 }
    const nothing = { code: 'VALIDATION_FAILED' }
    await assert.rejects(runOverlay({ ...options, messages: 0 }), nothing)
    await assert.rejects(runOverlay({ ...options, sizes: [1] }), nothing)
    await assert.rejects(runOverlay({ ...options, deadShares: [1] }), nothing)
    await assert.rejects(runOverlay({ ...options, deadShares: [-0.1] }), nothing)
  })

  it('gives the same rows for the same seed', async () => {
    const options = { seed: SEED, sizes: [100], deadShares: [0.3], messages: 10 }
    assert.deepEqual(await runOverlay(options), await runOverlay(options))
  })

  it('has a row for each network, share of dead relays and luminosity', () => {
    assert.equal(rows.length, 12)
    assert.deepEqual([...new Set(rows.map(({ luminosity }) => luminosity))], [1, 4])
  })

  it('reaches a first destination in no more hops than there are bins, however large it is', () => {
    for (const row of targeted()) {
      if (row.deadShare === 0) assert.equal(row.strandedShare, 0)
      const detours = row.deadShare > 0 ? 2 : 0
      assert.ok(row.hopsMax <= row.luminosity + detours, JSON.stringify(row))
    }
    const means = targeted()
      .filter(({ deadShare }) => deadShare === 0)
      .map(({ hopsMean }) => hopsMean)
    // ten times the relays add a step, not a factor
    assert.ok((means[1] ?? 0) - (means[0] ?? 0) < 1.5, `${means}`)
  })

  it('brings each destination exactly one copy, whoever is dead', () => {
    for (const row of rows) assert.equal(row.copiesPerDestination, 1, JSON.stringify(row))
  })

  it('reaches every live destination where the address is disclosed, at once unless stranded', () => {
    for (const row of targeted()) {
      assert.ok(row.strandedShare <= 0.1, JSON.stringify(row))
      assert.equal(row.reached, 1, JSON.stringify(row))
      if (row.strandedShare === 0) assert.equal(row.reachedAtOnce, 1, JSON.stringify(row))
    }
  })

  it('reaches everybody at once while nobody is dead, most with 30 % dead, and all in the end', () => {
    for (const row of toEverybody()) {
      const least = { 0: 1, 0.1: 0.99, 0.3: 0.95 }[row.deadShare] ?? 1
      assert.ok(row.reachedAtOnce >= least, JSON.stringify(row))
      assert.equal(row.reached, 1, JSON.stringify(row))
    }
  })

  it('keeps as many links as there are neighbours, and four more for each bin', () => {
    for (const { relays, luminosity, deadShare, links, bins } of targeted()) {
      const live = 1 - deadShare
      const expected = live * ((relays - 1) / 2 ** luminosity + 4 * luminosity)
      assert.ok(Math.abs(links - expected) < 0.2 * expected, `${links} of ${expected}`)
      assert.ok(bins > luminosity + 1 - 0.2 && bins <= luminosity + 1, `${bins}`)
    }
  })
})
