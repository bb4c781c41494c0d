import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { before, describe, it, mock } from 'node:test'
import type { Shipment } from '@mainframe/protocol'
import type { OpenedOutcome } from '../../../node/src/routing/outcomes.ts'
import { MemoryNetwork, type SentFrame } from '../support/memory-network.ts'
import type { MemoryRelay, RelayTraits } from '../support/memory-relay.ts'
import { NOW_MS } from '../support/rule-world.ts'
import { Seeded } from '../support/seeded.ts'
import { DELAY_MS, FIRST_MS, type Offer, twinTraffic } from '../support/twin-traffic.ts'

const SEED = Number(process.env.TWIN_SEED ?? randomInt(2 ** 32))
/** The relay that is looked at, and the one that a client sends to. */
const TARGET = 2
const ENTRY = 0
const RELAYS = 5
const INJECTED_MS = FIRST_MS + DELAY_MS
const END_MS = INJECTED_MS + 5_000

/** Plays the same traffic to a network whose one relay has these traits. */
async function play(traits: RelayTraits, endMs = END_MS) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: NOW_MS })
  const init = { seed: SEED, relays: RELAYS, luminosity: 1, timers: mock.timers }
  const network = new MemoryNetwork({ ...init, traits: { [TARGET]: traits } })
  const [entry, target] = [network.relays[ENTRY], network.relays[TARGET]]
  assert.ok(entry && target)
  try {
    await network.start()
    await sendTraffic(network, { entry, target })
    await network.until(endMs)
    const { opened, outcomes } = target.router
    return { sent: [...network.sent], failures: [...network.failures], opened, outcomes }
  } finally {
    await network.stop()
    mock.timers.reset()
  }
}

async function sendTraffic(network: MemoryNetwork, to: Record<Offer['via'], MemoryRelay>) {
  const random = new Seeded(SEED + 1)
  const paid = (relay: MemoryRelay) =>
    network.client<Shipment>(relay, { name: 'a sender', purse: { secretKey: random.bytes(32) } })
  const links = { entry: await paid(to.entry), target: await paid(to.target) }
  for (const relay of network.relays) {
    const subscriber = await network.client(relay, { name: 'a subscriber' })
    subscriber.subscribe({ bits: 0, prefix: new Uint8Array(32), cursor: 0 })
  }
  const others = network.relays.filter((relay) => relay !== to.target)
  for (const { atMs, via, ...shipment } of twinTraffic(random, { target: to.target, others })) {
    await network.until(atMs)
    assert.ok(links[via].enqueue(shipment), 'the client has no room')
  }
}

type Run = Awaited<ReturnType<typeof play>>

const early = ({ sent }: Run) => sent.filter(({ ms }) => ms < INJECTED_MS)
const late = ({ sent }: Run) => sent.filter(({ ms }) => ms >= INJECTED_MS)

/** The first frame in which two runs differ. */
function difference(a: readonly SentFrame[], b: readonly SentFrame[]): string | undefined {
  const show = (frame: SentFrame | undefined) => JSON.stringify(frame)
  const at = Array.from({ length: Math.max(a.length, b.length) }).findIndex(
    (_, i) => show(a[i]) !== show(b[i]),
  )
  return at < 0 ? undefined : `seed ${SEED}, frame ${at}: ${show(a[at])} or ${show(b[at])}`
}

describe(`A relay that opens packets, beside its twin that cannot (TWIN_SEED=${SEED})`, () => {
  let seeing: Run
  let blind: Run
  before(async () => {
    seeing = await play({})
    blind = await play({ isBlind: true })
  })

  it('sends the same frames in the same turns until it injects, and others after', async () => {
    assert.deepEqual([seeing.failures, blind.failures], [[], []])
    assert.equal(difference(early(seeing), early(blind)), undefined)
    assert.notEqual(difference(late(seeing), late(blind)), undefined)
  })

  it('was sent whatever can be opened, refused or seen before', () => {
    const openable: readonly OpenedOutcome[] = [
      'forward',
      'message',
      'drop',
      'damaged',
      'invalid',
      'misplaced',
      'repeated',
      'short',
    ]
    for (const outcome of openable) assert.ok(seeing.opened[outcome] > 0, `${SEED}: no ${outcome}`)
    assert.ok(Object.values(blind.opened).every((count) => count === 0))
    const { held, named, forwarded, respread, seen, underpaid, malformed, expired } = blind.outcomes
    for (const count of [held, named, forwarded, respread, seen, underpaid, malformed, expired]) {
      assert.ok(count > 0, JSON.stringify(blind.outcomes))
    }
    const ofTarget = early(seeing).filter((frame) => frame.from === `relay ${TARGET}`)
    for (const type of ['hello', 'credit', 'packet', 'ack', 'deliver']) {
      assert.ok(ofTarget.filter((frame) => frame.type === type).length > 3, type)
    }
  })

  it('sends the same frames to the end when nothing is changed', async () => {
    assert.equal(difference(seeing.sent, (await play({})).sent), undefined)
  })

  const faults: Record<string, RelayTraits['fault']> = {
    'refuses a bad inner packet': () => ({
      receive: (router, arrival) => {
        const bad = ({ short, invalid, damaged }: typeof router.opened) => short + invalid + damaged
        const [badBefore, spentBefore] = [bad(router.opened), arrival.account?.spentUnits ?? 0]
        const outcome = router.receive(arrival)
        if (bad(router.opened) === badBefore) return outcome
        if (arrival.account) arrival.account.spentUnits = spentBefore
        return 'underpaid'
      },
    }),
    'spreads a turn later what it opened': (opens) => ({
      ship: (dispatch, send) => {
        if (!opens(dispatch.packet)) return send()
        setImmediate(send)
        return true
      },
    }),
    'does not hold what it opened': (opens) => ({ holds: (packet) => !opens(packet) }),
    'does not spread what it opened': (opens) => ({
      ship: ({ packet }, send) => opens(packet) || send(),
    }),
    'gives back a unit for what it opened': (opens) => ({
      receive: (router, arrival) => {
        const outcome = router.receive(arrival)
        if (arrival.account && outcome === 'named' && opens(arrival.packet)) {
          arrival.account.spentUnits -= 1
        }
        return outcome
      },
    }),
  }
  for (const [name, fault] of Object.entries(faults)) {
    it(`is told from its twin when it ${name}`, async () => {
      const faulty = await play(fault ? { fault } : {}, INJECTED_MS)
      assert.notEqual(difference(early(faulty), early(blind)), undefined)
    })
  }
})
