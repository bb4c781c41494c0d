/** Groups over real relays: they grow and shrink while people talk, and members and stewards go away. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startTestNetwork, type TestNetwork } from '@mainframe/localnet/testing'
import { decodeContactCode } from '@mainframe/protocol'
import {
  type Conversation,
  type Mainframe,
  type Messenger,
  memoryStore,
  type Store,
} from '@mainframe/sdk'
import { until } from './support/waiting.ts'

/** `GROUP_SIZE=20` takes some minutes. */
const SIZE = Number(process.env['GROUP_SIZE'] ?? 5)

/** Somebody with a client that can be closed and opened again. */
class Person {
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

describe(`A group of ${SIZE} on relays`, () => {
  let network: TestNetwork
  const people: Person[] = []
  before(async () => {
    network = await startTestNetwork({ relays: 6 })
    for (let i = 0; i < SIZE; i++) {
      const person = new Person(network, `person ${i}`, await network.createAccount())
      people.push(await person.open())
    }
  })
  after(() => network?.stop())

  /** Everybody has the same last messages, in the same order. */
  const assertAlike = async (among: readonly Person[], expected: readonly string[]) => {
    for (const { name, heard } of among.map((p) => ({ name: p.name, heard: () => p.heard() }))) {
      await until(`${name} hears ${expected.length} messages`, async () => {
        const messages = await heard()
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

  it('grows while somebody talks, and everybody hears what was said since they came', async () => {
    const [founder, ...others] = people as [Person, ...Person[]]
    await Promise.all(others.map((each) => founder.messenger.contacts.request(each.messenger.code)))
    const group = await founder.messenger.createGroup('choir')
    for (const each of others) {
      const { code } = each.messenger
      await until(`${each.name} is a contact`, () => !!founder.messenger.conversationWith(code))
      await founder.messenger.invite(group, code)
      await founder.say(`${each.name} is coming`)
    }
    await until('everybody is there', () => people.every((p) => p.group?.members().length === SIZE))
    await Promise.all(people.map((person) => person.say(`${person.name} is here`)))
    await assertAlike(
      people,
      people.map(({ name }) => `${name} is here`),
    )
  })

  it('loses a member who hears nothing more, and one who is off line finds all when back', async () => {
    const [founder, second] = people as [Person, Person]
    const [gone, away] = [people.at(-1), people.at(-2)] as [Person, Person]
    const rest = people.slice(0, -1)
    await away.close()
    await second.say('before the change')
    await assertAlike([founder, second, gone], ['before the change'])
    await founder.group?.remove(decodeContactCode(gone.messenger.code))
    await second.say('in the middle of it')
    await until('it is removed', () => gone.group?.ended === 'removed')
    await until('the others know', () => second.group?.members().length === SIZE - 1)
    await second.say('among ourselves')
    await founder.say('indeed')
    await away.open()
    await assertAlike(rest, [
      'before the change',
      'in the middle of it',
      'among ourselves',
      'indeed',
    ])
    assert.equal((await gone.heard()).includes('among ourselves'), false)
    people.pop()
  })

  it('goes on when its founder is gone, by another admin, and everybody after a restart', async () => {
    const [founder, second, third] = people as [Person, Person, Person]
    const key = decodeContactCode(second.messenger.code)
    await founder.group?.setRole(key, 'admin')
    const isAdmin = () =>
      second.group?.members().some((m) => `${m.inboxKey}` === `${key}` && m.role === 'admin')
    await until('there is another admin', () => isAdmin() === true)
    await founder.close()
    await third.say('who is left?')
    await second.group?.remove(decodeContactCode(founder.messenger.code))
    const rest = people.slice(1)
    await until('the founder is no member', () => rest.every((each) => !each.isMember(founder)))
    for (const person of rest) await person.close()
    await Promise.all(rest.map((person) => person.open()))
    await third.say('we are')
    await assertAlike(rest, ['who is left?', 'we are'])
  })
})
