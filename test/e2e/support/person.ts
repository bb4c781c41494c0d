/** People with messengers in this process, in a group. */
import assert from 'node:assert/strict'
import type { TestNetwork } from '@mainframe/localnet/testing'
import { decodeContactCode } from '@mainframe/protocol'
import {
  type Conversation,
  type Mainframe,
  type Messenger,
  memoryStore,
  type Store,
} from '@mainframe/sdk'
import { until } from './waiting.ts'

/** Somebody with a client that can be closed and opened again. */
export class Person {
  readonly name: string
  readonly account: `0x${string}`
  readonly store: Store = memoryStore()
  readonly #network: TestNetwork
  #client: Mainframe | undefined
  messenger!: Messenger

  constructor(network: TestNetwork, name: string, account: `0x${string}`) {
    this.#network = network
    this.name = name
    this.account = account
  }

  async open(): Promise<this> {
    const { account, store } = this
    this.#client = await this.#network.open({ account, store })
    this.messenger = await this.#client.messenger()
    this.messenger.on((event) => {
      if (event.type === 'contact' && event.contact.state === 'asked') {
        void this.messenger.contacts.accept(event.contact.code)
      }
      if (event.type === 'invitation') void this.messenger.acceptInvitation(event.invitation.id)
    })
    return this
  }

  async close(): Promise<void> {
    await this.#client?.close()
  }

  get group(): Conversation | undefined {
    return this.messenger.conversations().find(({ kind }) => kind === 'group')
  }

  async say(text: string): Promise<void> {
    assert.ok(this.group, `${this.name} is in no group`)
    await this.group.send(text)
  }

  async heard(): Promise<string[]> {
    const messages = (await this.group?.history({ limit: 1_000 })) ?? []
    return messages.map(({ body }) => new TextDecoder().decode(body))
  }

  isMember(other: Person): boolean {
    const key = `${decodeContactCode(other.messenger.code)}`
    return this.group?.members().some(({ inboxKey }) => `${inboxKey}` === key) ?? false
  }
}

/** Everybody has the same last messages, in the same order. */
export async function assertAlike(among: readonly Person[], expected: readonly string[]) {
  for (const person of among) {
    await until(`${person.name} hears ${expected.length} messages`, async () => {
      const messages = await person.heard()
      return expected.every((text) => messages.includes(text))
    })
  }
  const [first, ...others] = await Promise.all(among.map((person) => person.heard()))
  const order = first?.filter((text) => expected.includes(text))
  for (const [i, other] of others.entries()) {
    const theirs = other.filter((text) => expected.includes(text))
    assert.deepEqual(theirs, order, among[i + 1]?.name)
  }
}
