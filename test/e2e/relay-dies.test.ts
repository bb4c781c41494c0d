import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  claimEarnings,
  fetchStatus,
  observeHeldPackets,
  type Person,
  type RelayProcess,
  readConservation,
  traceMessages,
} from '@mainframe/localnet'
import { createKeyPair } from '@mainframe/protocol'
import { Mailbox } from './support/mailbox.ts'
import { goOnLine, invite, revive, startNetwork, type TestNetwork } from './support/network.ts'
import { assertOnceEach, exchange, type Party, send } from './support/party.ts'
import { until, within } from './support/waiting.ts'

/** What the victim is to a client. */
type Role = 'entry' | 'subscription' | 'neither'

/**
 * One relay is killed in every role. Not three relays: one that crashed executes no FORWARD for half
 * an hour (PROTOCOL.md §2), and of six relays hardly three hops would be left.
 */
describe('a network in which a relay is killed while messages flow both ways', () => {
  let network: TestNetwork
  let people: readonly [Person, Person]
  let victim: RelayProcess
  let parties: Party[] = []
  let identities = 0
  before(async () => {
    network = await startNetwork(6)
    people = await invite(network, ['Alice', 'Bob'])
    victim = network.relays[0] as RelayProcess
  })
  afterEach(() => Promise.all(parties.map(({ client }) => client.close())))
  after(() => network?.shutdown.stop())

  /** Comes with a new inbox and store until chance has given the victim the role. */
  async function cast(person: Person, role: Role): Promise<Party> {
    for (;;) {
      identities += 1
      const storeFolder = `${person.storeFolder}-${identities}`
      const inbox = createKeyPair()
      const client = await goOnLine({ ...person, storeFolder, inbox }, network)
      const { entry, subscriptions } = client.relays
      const isDelivering = subscriptions.includes(victim.nodeId)
      const actual = entry === victim.nodeId ? 'entry' : isDelivering ? 'subscription' : 'neither'
      if (actual === role) return { client, inbox, mailbox: new Mailbox(client), sent: [] }
      await client.close()
    }
  }

  async function castBoth(alices: Role, bobs: Role): Promise<[Party, Party]> {
    const [alice, bob] = people
    const pair: [Party, Party] = [await cast(alice, alices), await cast(bob, bobs)]
    parties = pair
    await within('the first messages arrive', exchange(...pair, 'good morning'))
    return pair
  }

  /** Kills the victim with messages on their way both ways, and sends the next ones after that. */
  async function killAmidst(alice: Party, bob: Party): Promise<void> {
    const texts = ['before 1', 'before 2', 'before 3']
    const onTheWay = await Promise.all(
      texts.flatMap((text) => [send(alice, bob, text), send(bob, alice, text)]),
    )
    await Promise.race(onTheWay.map(({ accepted }) => accepted))
    await victim.service.kill()
    await within('the next messages arrive', exchange(alice, bob, 'after'))
    const all = Promise.all(onTheWay.map(({ delivered }) => delivered))
    await within('what was on its way arrives too', all)
    assert.ok(!victim.service.isRunning)
    assertOnceEach(alice, bob)
    assertOnceEach(bob, alice)
  }

  /** Restarts the victim and waits until it takes part again: it holds a message sent afterwards. */
  async function assertComesBack(alice: Party, bob: Party): Promise<void> {
    victim = await revive(network, victim)
    await within('messages arrive as before', exchange(alice, bob, 'welcome back'))
    const last = `0x${alice.sent.at(-1)?.messageId}` as const
    await until('the restarted relay holds a new message', async () =>
      (await heldByVictim(bob)).has(last),
    )
    assert.ok((await fetchStatus(victim)).carried > 0)
  }

  /** Messages for somebody, by id, that an outsider finds at the victim. */
  async function heldByVictim({ inbox }: Party) {
    const held = await observeHeldPackets([victim], network.chain.deployment)
    return traceMessages(held, inbox)
  }

  it('goes on without a hop, which comes back and still delivers what it held', async () => {
    const [alice, bob] = await castBoth('neither', 'neither')
    const before = await heldByVictim(bob)
    assert.ok(before.size > 0, 'it holds something')
    await killAmidst(alice, bob)
    await assertComesBack(alice, bob)
    const afterwards = await heldByVictim(bob)
    for (const [id, { packets }] of before) {
      assert.ok((afterwards.get(id)?.packets ?? 0) >= packets, `message ${id} is still held`)
    }
  })

  it("goes on without the sender's entry relay: he takes another one", async () => {
    const [alice, bob] = await castBoth('entry', 'neither')
    await killAmidst(alice, bob)
    assert.notEqual(alice.client.relays.entry, victim.nodeId)
    const paid = (await alice.client.spending()).channels.length
    assert.ok(paid >= 2, 'he pays another relay now; a slow one may have come between')
    await assertComesBack(alice, bob)
  })

  it('goes on without a relay that delivers to the recipient: he has another one', async () => {
    const [alice, bob] = await castBoth('neither', 'subscription')
    await killAmidst(alice, bob)
    await assertComesBack(alice, bob)
  })

  it('loses no base unit by any of this', async () => {
    await Promise.all(network.relays.map((relay) => claimEarnings(relay)))
    const users = people.map(({ account }) => account)
    const conservation = await readConservation(network.chain, network.relays, users)
    const { ok, deposited, relaysNet, unsigned } = conservation
    assert.ok(ok, `${deposited} = ${relaysNet} + ${unsigned}`)
    assert.ok(relaysNet > 0n)
  })
})
