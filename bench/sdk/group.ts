/** What it costs to write to a group, and to join one, without a network. */
import { createKeyPair } from '@mainframe/protocol'
import { Conversation } from '../../sdk/src/conversations/conversation.ts'
import { CONVERSATION_TIMES } from '../../sdk/src/conversations/limits.ts'
import type { ConversationEvent, ConversationPorts } from '../../sdk/src/conversations/ports.ts'
import { publicationCount } from '../../sdk/src/messages/payload.ts'
import { createIdentity, type Identity } from '../../sdk/src/mls/identity.ts'
import { createKeyPackage, type OwnKeyPackage } from '../../sdk/src/mls/key-packages.ts'
import { type Mls, openMls } from '../../sdk/src/mls/suites.ts'
import { systemRandom } from '../../sdk/src/random.ts'
import { memoryStore } from '../../sdk/src/store/memory-store.ts'
import { medianCpuMs } from './processor.ts'
import { stoppableClock } from './stoppable-clock.ts'

/** Invitations that are open at a time; a steward commits so many together. */
const BATCH = 32
const SENDS = { warmUp: 2, count: 5, calls: 20 }
const JOINS = { warmUp: 1, count: 5, calls: 1 }

interface Newcomer {
  identity: Identity
  own: OwnKeyPackage
}

/** A conversation whose other members exist by their key packages alone. */
class Group {
  readonly mls: Mls
  readonly clock = stoppableClock()
  readonly published: Uint8Array[] = []
  readonly welcomes: Uint8Array[] = []
  #conversation: Conversation | undefined
  #changed = Promise.withResolvers<void>()

  constructor(mls: Mls) {
    this.mls = mls
  }

  get conversation(): Conversation {
    if (!this.#conversation) throw new TypeError('The group was made')
    return this.#conversation
  }

  /** Makes the group; returns who came last, alone in a commit. */
  async fill(count: number): Promise<Newcomer> {
    const first = await this.#newcomer()
    this.#conversation = await Conversation.create(this.ports(first.identity), first.own)
    while (this.#size < count - 1) await this.#invite(Math.min(BATCH, count - 1 - this.#size))
    const [last] = await this.#invite(1)
    if (!last) throw new TypeError('One was invited')
    return last
  }

  ports(identity: Identity): ConversationPorts {
    return {
      mls: this.mls,
      identity,
      store: memoryStore(),
      clock: this.clock,
      random: systemRandom,
      times: CONVERSATION_TIMES.local,
      publish: async (bytes) => void this.published.push(bytes),
      emit: (event) => this.#onEvent(event),
    }
  }

  get #size(): number {
    return this.conversation.members().length
  }

  async #invite(count: number): Promise<Newcomer[]> {
    const size = this.#size + count
    const newcomers: Newcomer[] = []
    for (let i = 0; i < count; i++) {
      const newcomer = await this.#newcomer()
      newcomers.push(newcomer)
      await this.conversation.invite(newcomer.own.keyPackage)
    }
    while (this.#size < size) await this.#changed.promise
    await this.conversation.settled()
    return newcomers
  }

  async #newcomer(): Promise<Newcomer> {
    const identity = await createIdentity(this.mls, createKeyPair().publicKey)
    return { identity, own: await createKeyPackage(this.mls, identity) }
  }

  #onEvent(event: ConversationEvent): void {
    if (event.type === 'trouble') this.#changed.reject(event.error)
    if (event.type === 'welcome') this.welcomes.push(event.bytes)
    if (event.type !== 'members') return
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

export interface GroupSendFigures {
  /** Median processor time of a message, in milliseconds. */
  sendMs: number
  /** The most packets that a message took. */
  packets: number
}

/** Writes a text again and again to a group of so many. */
export async function benchGroupSend(size: number, text: string): Promise<GroupSendFigures> {
  const { group } = await groupOf(size)
  const { conversation, published } = group
  const body = new TextEncoder().encode(text)
  published.length = 0
  const sendMs = await medianCpuMs(SENDS, async () => {
    for (let i = 0; i < SENDS.calls; i++) await conversation.send(body)
    await conversation.settled()
  })
  const sent = (SENDS.warmUp + SENDS.count) * SENDS.calls
  if (published.length !== sent) throw new TypeError(`${published.length} for ${sent} messages`)
  await conversation.close()
  return { sendMs, packets: Math.max(...published.map(({ length }) => publicationCount(length))) }
}

/** Median processor time of joining a group of so many by its welcome, in milliseconds. */
export async function benchJoin(size: number): Promise<number> {
  const { group, last } = await groupOf(size)
  const welcome = group.welcomes.at(-1)
  if (!welcome) throw new TypeError('There was a welcome')
  const joinMs = await medianCpuMs(JOINS, async () => {
    const joined = await Conversation.join(group.ports(last.identity), { welcome, own: last.own })
    if (joined?.members().length !== size) throw new TypeError('The newcomer is in the group')
    await joined.close()
  })
  await group.conversation.close()
  return joinMs
}

async function groupOf(size: number): Promise<{ group: Group; last: Newcomer }> {
  const group = new Group(await openMls({ suite: 'xwing', authenticate: () => true }))
  const last = await group.fill(size)
  group.clock.isStopped = true
  return { group, last }
}
