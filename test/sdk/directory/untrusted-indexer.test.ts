import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { type ApiNetworkAnswer, type ApiNodesAnswer, MainframeError } from '@mainframe/protocol'
import type { DirectoryChain } from '../../../sdk/src/chain/chain.ts'
import { rankCarriers } from '../../../sdk/src/directory/choose.ts'
import { Directory } from '../../../sdk/src/directory/directory.ts'
import { createExperience } from '../../../sdk/src/directory/experience.ts'
import type { Fetch } from '../../../sdk/src/directory/indexer-api.ts'
import type { DirectoryView } from '../../../sdk/src/directory/relay.ts'
import { PGLITE } from '../../indexer/databases.ts'
import { DEPLOYMENT, nodeIdOfName } from '../../indexer/fake-chain.ts'
import { mineRelays, type Rig, startRig } from '../../indexer/rig.ts'
import { chainInHand } from '../support/chain-in-hand.ts'
import { fakeClock } from '../support/fake-clock.ts'

/** Enough relays and payers for a luminosity of 1, with four payers to spare. */
const RELAYS = 96
const PAYERS = 68

/** Changes what an indexer answers to a path. */
type Lie = (body: string) => string

describe('an indexer that nobody trusts', () => {
  let rig: Rig
  let chain: DirectoryChain
  let names: string[]
  let lies: Map<string, Lie>
  let faults: unknown[]

  before(async () => {
    rig = await startRig(await PGLITE.settings(), (fake) => {
      names = mineRelays(fake, RELAYS)
      for (let i = 0; i < PAYERS; i++) {
        const parties = { payer: `payer ${i}`, payee: `payee ${names[0]}` }
        fake.mine([{ type: 'open', channel: `channel ${i}`, ...parties, deposit: 5n }])
      }
      fake.mine([
        { type: 'unstake', node: names[95] as string },
        { type: 'register', node: 'late' },
        { type: 'register', node: 'unsigned', badSignature: true },
        { type: 'close', channel: 'channel 0', claimed: 1n },
      ])
      fake.mine()
    })
    chain = chainInHand(rig.chain)
  })
  after(() => rig?.stop())
  beforeEach(() => {
    lies = new Map()
    faults = []
  })

  /** http://honest passes on what the indexer says, http://liar what the lies make of it. */
  const fetchFrom: Fetch = async (input) => {
    const asked = new URL(String(input))
    if (asked.host === 'nowhere') throw new TypeError('fetch failed')
    const answer = await fetch(new URL(asked.pathname + asked.search, rig.indexer.url))
    const lie = asked.host === 'liar' ? lies.get(asked.pathname) : undefined
    const body = await answer.text()
    return new Response(lie ? lie(body) : body, { status: answer.status })
  }

  function directoryOf(hosts: string[], own: DirectoryChain = chain) {
    const clock = fakeClock(rig.chain.head.time * 1000)
    const indexers = hosts.map((host) => `http://${host}`)
    const onFault = (error: unknown) => void faults.push(error)
    const fetch = fetchFrom
    const options = { chain: own, deployment: DEPLOYMENT, indexers, fetch, clock, onFault }
    return { clock, directory: new Directory({ ...options, refreshMs: 1000 }) }
  }

  const faultOf = (error: unknown) => {
    assert.ok(error instanceof MainframeError, String(error))
    assert.equal(error.code, 'INDEXER_INVALID')
    return error.details['fault']
  }

  /** What the client says of http://liar when it has no other. */
  async function caught(): Promise<unknown> {
    const { clock, directory } = directoryOf(['liar'], { ...chain, logs: noLogs })
    const answer = directory.fresh().then(
      () => assert.fail('believed a lie'),
      (error: unknown) => faultOf(error),
    )
    await settle(clock, answer)
    return answer
  }

  const lines =
    (change: (lines: string[]) => string[]): Lie =>
    (body) =>
      change(body.split('\n')).join('\n')
  const swapped = (all: string[]) =>
    [...all.slice(0, 5), all[6], all[5], ...all.slice(7)] as string[]

  for (const [what, fault, lie] of [
    ['leaves an event out of the log', 'log-omission', lines((all) => all.toSpliced(7, 1))],
    ['leaves out the end of the log', 'log-omission', lines((all) => all.slice(0, 40))],
    ['gives an empty log', 'log-omission', () => '{}\n'],
    ['swaps two events', 'log-order', lines(swapped)],
    ['tells an event twice', 'log-order', lines((all) => all.toSpliced(7, 0, all[6] as string))],
    [
      'changes a stake in an event',
      'log-forgery',
      lines((all) => all.with(9, restaked(all[9] ?? ''))),
    ],
    [
      'invents an event',
      'log-forgery',
      lines((all) =>
        all.with(9, (all[9] ?? '').replace(/"topics":\["0x.{8}/, '"topics":["0xdeadbeef')),
      ),
    ],
    ['gives lines that are no JSON', 'schema', lines((all) => all.with(3, '<html>'))],
  ] as [string, string, Lie][]) {
    it(`is caught when it ${what}`, async () => {
      lies.set('/v1/log', lie)
      assert.equal(await caught(), fault)
    })
  }

  it('is caught when it leaves a relay out, and the relay is named', async () => {
    const victim = nodeIdOfName(names[5] as string)
    lies.set('/v1/nodes', (body) => {
      const page = JSON.parse(body) as ApiNodesAnswer
      return JSON.stringify({
        ...page,
        nodes: page.nodes.filter(({ nodeId }) => nodeId !== victim),
      })
    })
    const { directory } = directoryOf(['liar'], { ...chain, logs: noLogs })
    await assert.rejects(directory.fresh(), (error) => {
      assert.equal(faultOf(error), 'omitted')
      assert.equal((error as MainframeError).details['nodeId'], victim)
      return true
    })
  })

  it('is caught when its answer is more than half an hour old', async () => {
    const { nodes, network } = {
      nodes: await (await fetch(`${rig.indexer.url}/v1/nodes?limit=200`)).text(),
      network: await (await fetch(`${rig.indexer.url}/v1/network`)).text(),
    }
    lies.set('/v1/nodes', () => nodes).set('/v1/network', () => network)
    const { latest } = chain
    const later = async () => {
      const head = await latest()
      return { ...head, time: head.time + 31 * 60 }
    }
    const older = { ...chain, latest: later, logs: noLogs }
    const { clock, directory } = directoryOf(['liar'], older)
    const refused = directory.fresh().then(() => assert.fail('believed old news'), faultOf)
    await settle(clock, refused)
    assert.equal(await refused, 'stale')
  })

  const countUsers =
    (change: (users: number) => number): Lie =>
    (body) => {
      const network = JSON.parse(body) as ApiNetworkAnswer
      return JSON.stringify({ ...network, users: change(network.users) })
    }

  it('is caught when it miscounts the users so that another luminosity follows, by any other one', async () => {
    lies.set(
      '/v1/network',
      countUsers(() => 10),
    )
    const { directory } = directoryOf(['liar', 'honest'])
    const view = await directory.fresh()
    assert.equal(view.luminosity, 1)
    assert.deepEqual([...new Set(faults.map(faultOf))], ['users'])
    faults = []
    const other = directoryOf(['honest', 'liar']).directory
    assert.equal((await other.fresh()).luminosity, 1)
    assert.deepEqual(faults.map(faultOf), ['users'])
  })

  it('makes nobody disclose more than the lowest count where the chain cannot be asked', async () => {
    lies.set(
      '/v1/network',
      countUsers(() => 10),
    )
    for (const hosts of [
      ['liar', 'honest'],
      ['honest', 'liar'],
    ]) {
      faults = []
      const { directory } = directoryOf(hosts, { ...chain, logs: noLogs })
      assert.equal((await directory.fresh()).luminosity, 0)
      assert.deepEqual(faults.map(faultOf), ['users'])
    }
  })

  it('differs by a few users without a reproach: another may be a block behind', async () => {
    lies.set(
      '/v1/network',
      countUsers((users) => users - 3),
    )
    await directoryOf(['liar', 'honest']).directory.fresh()
    assert.deepEqual(faults, [])
  })

  it('cannot bias the rank: the client draws it from what the chain confirms', async () => {
    const rank = (view: DirectoryView) => {
      const seed = new Uint8Array(32).fill(7)
      const ranked = rankCarriers({ view, experience: createExperience(), seed, k: 8 })
      return ranked.map(({ candidate, score }) => [candidate.nodeId, score])
    }
    const honest = rank(await directoryOf(['honest']).directory.fresh())
    lies.set('/v1/nodes', (body) => {
      const page = JSON.parse(body) as ApiNodesAnswer
      return JSON.stringify({ ...page, nodes: page.nodes.reverse() })
    })
    assert.deepEqual(rank(await directoryOf(['liar']).directory.fresh()), honest)
  })

  describe('when none can be reached', () => {
    const comparable = ({ relays, luminosity, table, block }: DirectoryView) => ({
      relays: [...relays].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)),
      luminosity,
      table,
      block,
    })

    it('gives way to the chain itself: the same relays, prices and luminosity', async () => {
      const told = await directoryOf(['honest']).directory.fresh()
      const { directory } = directoryOf(['nowhere'])
      const followed = await directory.fresh()
      assert.equal(followed.relays.length, RELAYS)
      assert.deepEqual(comparable(followed), comparable(told))
    })

    it('reads only what is new the next time, in ranges that the RPC gives', async () => {
      const asked: [number, number][] = []
      const logs: DirectoryChain['logs'] = async (from, to) => {
        if (to - from >= 50) throw new MainframeError('CHAIN_REJECTED', 'at most 50 blocks')
        asked.push([from, to])
        return chain.logs(from, to)
      }
      const { directory } = directoryOf(['nowhere'], { ...chain, logs })
      await directory.fresh()
      const first = asked.splice(0)
      assert.equal(first[0]?.[0], DEPLOYMENT.block)
      await directory.refresh()
      const settled = rig.chain.head.number - 64
      assert.deepEqual(asked.map(([from]) => from)[0], settled + 1)
    })

    it('says that no indexer answers when the RPC drops a log, and heals when it no longer does', async () => {
      let dropping = true
      const logs: DirectoryChain['logs'] = async (from, to) => {
        const all = await chain.logs(from, to)
        return dropping ? all.toSpliced(20, 1) : all
      }
      const { directory } = directoryOf(['nowhere'], { ...chain, logs })
      await assert.rejects(directory.fresh(), { code: 'INDEXER_UNREACHABLE' })
      dropping = false
      assert.equal((await directory.fresh()).relays.length, RELAYS)
    })
  })

  it('is believed again after a reorganisation took back what was replayed', async () => {
    const { directory } = directoryOf(['honest'])
    const before = await directory.fresh()
    rig.chain.cut(2)
    rig.chain.mine([{ type: 'register', node: 'newcomer' }])
    rig.chain.mine()
    rig.chain.mine()
    await rig.caughtUp()
    const view = await directory.refresh()
    assert.equal(view.relays.length, before.relays.length + 1)
    assert.ok(view.byId.has(nodeIdOfName('newcomer')))
    assert.ok(!view.byId.has(nodeIdOfName('late')))
  })
})

/** An RPC that gives no logs, so that only what the indexer says is left. */
const noLogs: DirectoryChain['logs'] = () =>
  Promise.reject(new MainframeError('CHAIN_REJECTED', 'no logs here'))

/** Lets the clock go on until a promise that may wait for it is settled. */
async function settle(clock: ReturnType<typeof fakeClock>, promise: Promise<unknown>) {
  let settled = false
  void promise.finally(() => {
    settled = true
  })
  while (!settled) await clock.pass(100)
}

/** The same event with another stake, which is the fourth word of its data. */
function restaked(line: string): string {
  const parsed = JSON.parse(line) as { data: string }
  const at = 2 + 64 * 4
  const digit = parsed.data[at - 1] === '1' ? '2' : '1'
  return JSON.stringify({
    ...parsed,
    data: parsed.data.slice(0, at - 1) + digit + parsed.data.slice(at),
  })
}
