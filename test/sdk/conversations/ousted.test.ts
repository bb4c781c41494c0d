/** Members who were removed, or are no admins any more, and go on with the keys that they had. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { readEpochs } from '../../../sdk/src/conversations/epoch.ts'
import { encodeFloor } from '../../../sdk/src/conversations/group-data.ts'
import { shelfOf } from '../../../sdk/src/conversations/shelf.ts'
import { encodeWire } from '../../../sdk/src/conversations/wire.ts'
import { commit, members } from '../../../sdk/src/mls/group.ts'
import type { MlsState } from '../../../sdk/src/mls/state.ts'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import { ConversationNetwork, type Peer } from '../support/conversation-network.ts'
import { trustingMls } from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

const authenticatedData = encodeFloor(1)

describe('somebody who was ousted', () => {
  let mls: Mls
  before(async () => {
    mls = await trustingMls()
  })

  const start = async (role: 'admin' | 'member') => {
    const network = new ConversationNetwork(mls, seededRandom(7))
    const peers = await network.conversation(3, role)
    const [first, second, ousted] = peers as [Peer, Peer, Peer]
    const epochs = await readEpochs(mls, shelfOf(ousted.store, ousted.active.id))
    const kept = epochs.sort((a, b) => b.epoch - a.epoch)[0]
    assert.ok(kept)
    return { network, first, second, ousted, state: kept.state }
  }

  const assertWithout = (peers: readonly Peer[], ousted: Peer) => {
    for (const { active, name } of peers) {
      const names = active.members().map(({ inboxKey }) => `${inboxKey}`)
      assert.equal(active.ended, undefined, name)
      assert.equal(names.includes(`${ousted.identity.inboxKey}`), false, name)
    }
  }

  it('does not undo it by going on from the epoch before, however far', async () => {
    const { network, first, second, ousted, state } = await start('member')
    await first.active.remove(ousted.identity.inboxKey)
    await network.pass(5000)
    assert.equal(ousted.active.ended, 'removed')
    let own: MlsState = state
    for (let i = 0; i < 6; i++) {
      const next = await commit(mls, own, { authenticatedData })
      own = next.state
      for (const peer of [first, second]) await peer.active.receive(encodeWire(next.commit))
    }
    assertWithout([first, second], ousted)
    await network.pass(60_000)
    assertWithout([first, second], ousted)
    // nor when they come in the other order, to somebody who was away meanwhile
    await second.restart()
    await network.pass(60_000)
    assertWithout([first, second], ousted)
  })

  it('does not win by being first either', async () => {
    const { network, first, second, ousted, state } = await start('member')
    let own: MlsState = state
    for (let i = 0; i < 3; i++) {
      const next = await commit(mls, own, { authenticatedData })
      own = next.state
      await second.active.receive(encodeWire(next.commit))
    }
    await first.active.remove(ousted.identity.inboxKey)
    await network.pass(60_000)
    assertWithout([first, second], ousted)
    assert.equal(first.active.epoch, second.active.epoch)
  })

  it('ends the conversation for nobody by a removal upon an old epoch', async () => {
    const { network, first, second, ousted, state } = await start('admin')
    await first.active.remove(ousted.identity.inboxKey)
    await network.pass(20_000)
    assert.equal(ousted.active.ended, 'removed')
    const victim = members(state).find(
      ({ inboxKey }) => `${inboxKey}` === `${second.identity.inboxKey}`,
    )
    assert.ok(victim)
    const evil = await commit(mls, state, { remove: [victim.leaf], authenticatedData })
    assert.equal(await second.active.receive(encodeWire(evil.commit)), 'overtaken')
    assertWithout([first, second], ousted)
    await second.active.send(new Uint8Array([1]))
    await network.pass(20_000)
    assert.equal((await first.active.history()).length, 1)
  })
})
