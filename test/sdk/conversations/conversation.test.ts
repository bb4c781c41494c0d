import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { utf8 } from '@mainframe/protocol'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import { ConversationNetwork, texts } from '../support/conversation-network.ts'
import { trustingMls } from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

describe('a conversation', () => {
  let mls: Mls
  before(async () => {
    mls = await trustingMls()
  })

  it('brings messages to everybody, in one order, and says so', async () => {
    const network = new ConversationNetwork(mls, seededRandom(1))
    const peers = await network.conversation(3)
    const [alice, bob] = peers
    assert.ok(alice && bob)
    const sent = await alice.active.send(utf8('hello'))
    await network.pass(100)
    await bob.active.send(utf8('hi'))
    await network.pass(10_000)
    for (const peer of peers) assert.deepEqual(await texts(peer), ['hello', 'hi'])
    assert.deepEqual(alice.delivery(sent.id), { state: 'delivered', to: 2, of: 2 })
  })
})
