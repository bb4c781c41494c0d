import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Asks, claimWith } from '../../localnet/src/claims.ts'

/** Earns by the list, a step a pause; claims whatever it has. */
class EarningRelay {
  readonly #earns: bigint[]
  earned = 0n
  claimed = 0n
  claims = 0

  constructor(...earns: bigint[]) {
    this.#earns = earns
    this.earn()
  }

  earn(): void {
    this.earned += this.#earns.shift() ?? 0n
  }

  claim(): `0x${string}` | undefined {
    if (this.claimed === this.earned) return undefined
    this.claimed = this.earned
    this.claims += 1
    return `0x${this.claims}`
  }
}

function asksOf(relays: readonly EarningRelay[]): Asks<EarningRelay> {
  return {
    claim: async (relay) => relay.claim(),
    report: async ({ earned, claimed }, tx) => {
      return { nodeId: '0x00', packets: 0, opened: 0, earned, claimed, tx }
    },
    pause: async () => {
      for (const relay of relays) relay.earn()
    },
  }
}

describe('the claims at the end of the story', () => {
  it('gives up on a relay that never stops to earn, and does not hide it', async () => {
    const relays = [new EarningRelay(...Array.from({ length: 100 }, () => 1n))]
    const [report] = await claimWith(relays, asksOf(relays))
    assert.equal(report?.earned, (report?.claimed ?? 0n) + 1n)
    assert.equal(relays[0]?.claims, 5)
  })

  it('goes on until what was under way is claimed, also by who had claimed all before', async () => {
    const relays = [new EarningRelay(5n, 0n, 3n), new EarningRelay(7n, 2n), new EarningRelay()]
    const reports = await claimWith(relays, asksOf(relays))
    const figures = reports.map(({ earned, claimed, tx }) => ({ earned, claimed, tx }))
    assert.deepEqual(figures, [
      { earned: 8n, claimed: 8n, tx: '0x2' },
      { earned: 9n, claimed: 9n, tx: '0x2' },
      { earned: 0n, claimed: 0n, tx: null },
    ])
  })

  it('asks once where everything is claimed at once', async () => {
    const relays = [new EarningRelay(5n)]
    const [report] = await claimWith(relays, asksOf(relays))
    assert.deepEqual([report?.claimed, report?.tx], [5n, '0x1'])
  })
})
