/** Random stories over a bad network; whatever happens, members end with the same history. */
import assert from 'node:assert/strict'
import { utf8 } from '@mainframe/protocol'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import type { Random } from '../../../sdk/src/random.ts'
import { ConversationNetwork, type Peer } from './conversation-network.ts'
import { seededRandom } from './seeded-random.ts'

class Scenario {
  readonly network: ConversationNetwork
  readonly random: Random
  /** Those who were removed or have left count no more. */
  peers: Peer[] = []
  #number = 0

  constructor(mls: Mls, seed: number) {
    this.random = seededRandom(seed)
    this.network = new ConversationNetwork(mls, this.random)
  }

  get live(): Peer[] {
    return this.peers.filter(({ conversation }) => conversation && !conversation.ended)
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.random() * items.length)]
  }

  /** One thing that happens; what a member may not do, or cannot any more, is nothing. */
  async step(): Promise<void> {
    const { network, random } = this
    const peer = this.pick(this.live.filter(({ isDown }) => !isDown))
    const dice = random()
    try {
      if (!peer) return
      if (dice < 0.55) await peer.active.send(utf8(`${peer.name}: ${this.#number++}`))
      else if (dice < 0.63) await this.#invite(peer)
      else if (dice < 0.68) await this.#remove(peer)
      else if (dice < 0.72) await this.#setRole(peer)
      else if (dice < 0.76) this.#part()
      else if (dice < 0.84) for (const each of this.peers) each.side = 0
      else if (dice < 0.92) await peer.restart()
      else peer.writesLeft = Math.floor(random() * 12)
    } catch {
      // a change that is not possible, or a client that was killed
    }
    await network.pass(Math.floor(random() * 1500))
    for (const each of this.live) if (each.writesLeft <= 0) await each.restart()
  }

  async #invite(peer: Peer): Promise<void> {
    if (this.peers.length >= 6) return
    const newcomer = await this.network.peer(`peer ${this.peers.length}`)
    newcomer.side = peer.side
    this.peers.push(newcomer)
    const role = this.random() < 0.5 ? 'admin' : 'member'
    await peer.active.invite(newcomer.own.keyPackage, role)
  }

  async #remove(peer: Peer): Promise<void> {
    const other = this.pick(this.live.filter((each) => each !== peer))
    if (this.live.length < 3 || !other) return
    if (this.random() < 0.5) await peer.active.remove(other.identity.inboxKey)
    else await other.active.leave()
  }

  async #setRole(peer: Peer): Promise<void> {
    const other = this.pick(this.live)
    const role = this.random() < 0.7 ? 'admin' : 'member'
    if (other) await peer.active.setRole(other.identity.inboxKey, role)
  }

  #part(): void {
    for (const peer of this.peers) peer.side = this.random() < 0.5 ? 1 : 2
  }

  /** The network is whole again, nobody dies any more, and time passes. */
  async heal(): Promise<void> {
    this.network.faults = { loss: 0, doubling: 0, delayMs: 100 }
    for (const peer of this.peers) {
      peer.side = 0
      peer.writesLeft = Number.POSITIVE_INFINITY
    }
    for (const peer of this.live) await peer.restart()
    await this.network.pass(60_000)
    // What only those had who are gone is given up after a while, and so long it takes to ask the silent.
    const epochs = new Set(this.live.map(({ active }) => active.epoch))
    const isRecovering = this.live.some(({ active }) => active.recovering > 0)
    if (epochs.size > 1 || isRecovering) await this.network.pass(900_000)
  }

  /** Everybody has the same epoch and the same messages since the last of them has joined. */
  async check(): Promise<void> {
    const { live } = this
    const epochs = new Set(live.map(({ active }) => active.epoch))
    assert.equal(epochs.size, 1, `one epoch, not ${[...epochs]}`)
    const histories = await Promise.all(live.map(({ active }) => active.history({ limit: 10_000 })))
    const floor = Math.max(...live.map(({ active }) => active.floor))
    const [first, ...others] = histories.map((history) =>
      history.filter(({ lamport }) => lamport > floor).map(({ id, lamport }) => `${lamport} ${id}`),
    )
    for (const [i, other] of others.entries()) {
      assert.deepEqual(other, first, `history of ${live[i + 1]?.name}`)
    }
    for (const { active, name } of live) assert.equal(active.recovering, 0, `${name} misses some`)
    await this.#checkDeliveries()
  }

  /** What was reported as delivered to so many is there so often. */
  async #checkDeliveries(): Promise<void> {
    const all = this.peers.filter(({ conversation }) => conversation)
    const known = await Promise.all(
      all.map(async ({ active }) => {
        const history = await active.history({ limit: 10_000 })
        return new Set(history.map(({ id }) => id))
      }),
    )
    for (const { name, events } of this.live) {
      for (const event of events) {
        if (event.type !== 'delivery' || event.delivery.to === 0) continue
        const having = known.filter((ids) => ids.has(event.id)).length
        assert.ok(having > event.delivery.to, `${name} was told more than is true`)
      }
    }
  }
}

/** The story of a seed, of so many steps and up to nine more. Rejects when members differ at its end. */
export async function runScenario(mls: Mls, seed: number, leastSteps: number): Promise<void> {
  const scenario = new Scenario(mls, seed)
  const { random, network } = scenario
  network.isSealed = random() < 0.7
  const role = random() < 0.5 ? 'admin' : 'member'
  scenario.peers = await network.conversation(2 + Math.floor(random() * 3), role)
  network.faults = {
    loss: random() * 0.3,
    doubling: random() * 0.3,
    delayMs: Math.floor(random() * 2000),
  }
  const steps = leastSteps + Math.floor(random() * 10)
  for (let i = 0; i < steps; i++) await scenario.step()
  await scenario.heal()
  await scenario.check()
  for (const { conversation } of scenario.peers) await conversation?.close()
}
