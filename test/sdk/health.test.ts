import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MainframeError } from '@mainframe/protocol'
import { memoryStore } from '@mainframe/sdk'
import { health } from '../../sdk/src/actions/health.ts'
import type { ClientContext } from '../../sdk/src/context.ts'

const relays = (...states: string[]) => states.map((state) => ({ relay: {}, state }))

/** A client of which everything works but what a test changes. */
function contextOf(changes: Record<string, unknown> = {}): ClientContext {
  return {
    chain: { latest: async () => ({ number: 1 }) },
    directory: { fresh: async () => ({}), trouble: undefined },
    entry: { trouble: undefined },
    inbox: { relays: relays('current', 'replaying') },
    groups: { states: [{ id: 'friends', relays: relays('current', 'current') }] },
    channels: { budget: { assertLeft: async () => {} } },
    store: memoryStore(),
    settings: { subscriptions: 2 },
    ...changes,
  } as unknown as ClientContext
}

const failing = (code: 'STORE_FAILED' | 'PAYMENT_BUDGET' | 'CHAIN_UNREACHABLE') => async () => {
  throw new MainframeError(code, `${code}, so do this`)
}

describe('health', () => {
  it('names everything that fails, each with a code and what to do, and never rejects', async () => {
    const lie = new MainframeError('INDEXER_INVALID', 'it lies')
    const broken = contextOf({
      chain: { latest: failing('CHAIN_UNREACHABLE') },
      directory: { fresh: async () => ({}), trouble: lie },
      entry: { trouble: new RangeError('a bug') },
      inbox: { relays: relays('current', 'connecting') },
      groups: { states: [{ id: 'friends', relays: [] }] },
      channels: { budget: { assertLeft: failing('PAYMENT_BUDGET') } },
      store: { set: failing('STORE_FAILED') },
    })
    const { ok, reasons } = await health(broken)
    assert.equal(ok, false)
    assert.deepEqual(
      reasons.map(({ part, code }) => `${part} ${code}`),
      [
        'chain CHAIN_UNREACHABLE',
        'indexer INDEXER_INVALID',
        'entry INTERNAL',
        'subscriptions NETWORK_NO_RELAY',
        'budget PAYMENT_BUDGET',
        'store STORE_FAILED',
      ],
    )
    assert.match(reasons[3]?.message ?? '', /Inboxes without 2 relays that deliver: 2 of 2/)
  })

  it('waits for nothing that does not answer', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    const silent = contextOf({ chain: { latest: () => new Promise(() => {}) } })
    const answer = health(silent)
    t.mock.timers.tick(5_000)
    assert.deepEqual(
      (await answer).reasons.map(({ part, code }) => `${part} ${code}`),
      ['chain NETWORK_TIMEOUT'],
    )
  })

  it('tells of a spent budget once, though the entry relay is left for it', async () => {
    const trouble = new MainframeError('PAYMENT_BUDGET', 'spent')
    const channels = { budget: { assertLeft: failing('PAYMENT_BUDGET') } }
    const { reasons } = await health(contextOf({ entry: { trouble }, channels }))
    assert.deepEqual(
      reasons.map(({ part }) => part),
      ['budget'],
    )
  })

  it('is well when nothing is wrong, also before anything was sent', async () => {
    assert.deepEqual(await health(contextOf()), { ok: true, reasons: [] })
  })
})
