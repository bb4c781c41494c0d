import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { startTestNetwork, type TestNetwork } from '@mainframe/localnet/testing'
import { createKeyPair, type KeyPair } from '@mainframe/protocol'
import { memoryStore, type Store } from '@mainframe/sdk'
import { publish } from '../../sdk/src/actions/publish.ts'
import type { ClientContext } from '../../sdk/src/context.ts'
import type { PublishedMessage } from '../../sdk/src/messages/deliveries.ts'
import { closeContext, createContext } from '../../sdk/src/opening.ts'
import { randomBytes } from '../../sdk/src/random.ts'
import { whenLong } from '../helpers/long.ts'
import { decode, encode } from './support/mailbox.ts'
import { until, within } from './support/waiting.ts'

interface Member {
  context: ClientContext
  store: Store
  heard: string[]
}

describe('A group on relays', whenLong, () => {
  let network: TestNetwork
  const open: ClientContext[] = []
  before(async () => {
    network = await startTestNetwork({ relays: 6 })
  })
  after(async () => {
    for (const context of open) await closeContext(context)
    await network?.stop()
  })

  async function join(name: string, group: { address: Uint8Array; keys: KeyPair[] }, store: Store) {
    const account = await network.createAccount()
    const context = await createContext({ network: network.network, account, store })
    open.push(context)
    await context.inbox.start()
    const member: Member = { context, store, heard: [] }
    const handler = ({ bytes }: PublishedMessage) => void member.heard.push(decode(bytes))
    const { caughtUp } = await context.groups.listen({ id: 'friends', ...group, handler })
    await within(`${name} listens`, caughtUp)
    return member
  }

  it('hears each of three members through one packet a fragment, over a change of keys and an absence', async () => {
    const address = randomBytes(32)
    const [before, then] = [createKeyPair(), createKeyPair()]
    const group = { address, keys: [before] }
    const alice = await join('Alice', group, memoryStore())
    const bob = await join('Bob', group, memoryStore())
    const carolsStore = memoryStore()
    const carol = await join('Carol', group, carolsStore)

    const say = async ({ context }: Member, text: string, key: KeyPair) => {
      const to = { address, publicKey: key.publicKey }
      const sent = await publish(context, { to, bytes: encode(text) })
      await within('the entry relay takes it', sent.accepted)
      return sent
    }
    const sent = await say(alice, 'hello', before)
    assert.equal(sent.packets, 1)
    assert.equal(await within('it is held', sent.returned), true)
    await until('Bob and Carol hear it', () =>
      [bob, carol].every(({ heard }) => heard.length === 1),
    )
    assert.deepEqual(alice.heard, [])

    await closeContext(carol.context)
    for (const { context } of [alice, bob]) context.groups.rekey('friends', [then, before])
    await say(bob, 'x'.repeat(20_000), then)
    await until('Alice hears a long one', () => alice.heard.length === 1)
    const carolAgain = await join('Carol', { address, keys: [before] }, carolsStore)
    await say(alice, 'late', before)
    await until('Carol hears the old key', () => carolAgain.heard.includes('late'))
    carolAgain.context.groups.rekey('friends', [then, before])
    await until('Carol hears what she had no key for', () => carolAgain.heard.length === 2)
    const lengths = carolAgain.heard.map(({ length }) => length)
    assert.deepEqual(new Set(lengths), new Set([4, 20_000]))
  })
})
