import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  observeHeldPackets,
  type Person,
  type RelayProcess,
  traceMessages,
} from '@mainframe/localnet'
import { encodeContactCode, packetEnc, toHex } from '@mainframe/protocol'
import { shuffle } from '../../../sdk/src/random.ts'
import { decode, encode, Mailbox } from '../support/mailbox.ts'
import { goOnLine, revive } from '../support/network.ts'
import { assertOnceEach, type Party, send } from '../support/party.ts'
import { until, within } from '../support/waiting.ts'
import { type FaultWorld, pin, prepare, RELAYS, USUAL } from './world.ts'

/** 30 % of sixteen. */
const VICTIMS = Math.round(0.3 * RELAYS)
/** Messages each way before the first of them is killed, and after each. */
const BEFORE = 6
const BETWEEN = 2
const FOR_CAROL = 3
const WATCHED_SURVIVORS = 3

/** Encapsulated keys of what a relay holds. */
type Held = ReadonlyMap<RelayProcess['nodeId'], ReadonlySet<string>>

export function describeKilled(theWorld: () => FaultWorld): void {
  describe('with 30 % of its relays killed amidst traffic', () => {
    it('delivers everything to who is on line, and keeps what is held for who is not', async (t) => {
      const world = theWorld()
      const { network, seed, alice, bob } = world
      t.diagnostic(`seed ${seed}`)
      const victims = shuffle(network.relays, world.random).slice(0, VICTIMS)
      const carol = await prepare(world, {})
      const texts = await writeTo(carol, alice)
      const holders = await untilHeldForCarol(world, victims, carol)
      const survivors = world.sound.filter((relay) => !victims.includes(relay))
      const watched = [...holders, ...survivors.slice(0, WATCHED_SURVIVORS)]
      const before = await readHeld(world, watched)

      await killAmidst(alice, bob, victims)
      assertOnceEach(alice, bob)
      assertOnceEach(bob, alice)
      await Promise.all([alice.client.close(), bob.client.close()])

      const subscriptions = await Promise.all(holders.map((relay) => revive(network, relay, USUAL)))
      await assertStillHeld(world, watched, before)
      await pin(carol, { subscriptions })
      const mailbox = new Mailbox(await goOnLine(carol, network))
      await until('all of hers arrive', () => mailbox.messages.length >= FOR_CAROL)
      const received = mailbox.messages.map(({ bytes }) => decode(bytes))
      assert.deepEqual(received.toSorted(), texts.toSorted(), `seed ${seed}`)
    })
  })
}

/** Sends Carol, who is away, some messages, and waits until the entry relay has taken them. */
async function writeTo(carol: Person, from: Party): Promise<string[]> {
  const code = encodeContactCode(carol.inbox.publicKey)
  const texts = Array.from({ length: FOR_CAROL }, (_, i) => `while you were away: ${i}`)
  const sent = await Promise.all(texts.map((text) => from.client.send(code, encode(text))))
  await within('they are taken', Promise.all(sent.map(({ accepted }) => accepted)))
  return texts
}

/** Waits until at least two of the victims hold everything for Carol; two such. */
async function untilHeldForCarol(
  { network }: FaultWorld,
  victims: readonly RelayProcess[],
  carol: Person,
): Promise<RelayProcess[]> {
  let holders: RelayProcess[] = []
  await until('two of those that will be killed hold all that is for Carol', async () => {
    const held = await observeHeldPackets(victims, network.chain.deployment)
    holders = victims.filter(({ nodeId }) => {
      const here = held.filter(({ relays }) => relays.has(nodeId))
      return traceMessages(here, carol.inbox).size === FOR_CAROL
    })
    return holders.length >= 2
  })
  return holders.slice(0, 2)
}

/** Kills one after the other with messages on their way, and waits until all have arrived. */
async function killAmidst(
  alice: Party,
  bob: Party,
  victims: readonly RelayProcess[],
): Promise<void> {
  const sent = await sendBothWays(alice, bob, BEFORE)
  await within('the first is taken', Promise.race(sent.map(({ accepted }) => accepted)))
  for (const victim of victims) {
    await victim.service.kill()
    sent.push(...(await sendBothWays(alice, bob, BETWEEN)))
  }
  await within('everything arrives', Promise.all(sent.map(({ delivered }) => delivered)))
}

async function sendBothWays(alice: Party, bob: Party, count: number) {
  const texts = Array.from({ length: count }, (_, i) => `message ${i}`)
  return await Promise.all(
    texts.flatMap((text) => [send(alice, bob, text), send(bob, alice, text)]),
  )
}

async function readHeld({ network }: FaultWorld, at: readonly RelayProcess[]): Promise<Held> {
  const held = await observeHeldPackets(at, network.chain.deployment)
  return new Map(
    at.map(({ nodeId }) => {
      const here = held.filter(({ relays }) => relays.has(nodeId))
      return [nodeId, new Set(here.map(({ packet }) => toHex(packetEnc(packet))))]
    }),
  )
}

/** They hold at least what each of them held. */
async function assertStillHeld(
  world: FaultWorld,
  at: readonly RelayProcess[],
  before: Held,
): Promise<void> {
  const now = await readHeld(world, at)
  for (const [nodeId, encs] of before) {
    const lost = [...encs].filter((enc) => !now.get(nodeId)?.has(enc))
    assert.deepEqual(lost, [], `seed ${world.seed}: lost at ${nodeId}`)
  }
}
