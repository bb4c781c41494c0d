/** Members whose epoch nobody reads any more: they are found, and come back by external commit. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { equalBytes, utf8 } from '@mainframe/protocol'
import { decodeAside, encodeAside } from '../../../sdk/src/conversations/asides.ts'
import { encodeGroupData } from '../../../sdk/src/conversations/group-data.ts'
import { KEPT_COMMITS, KEPT_EPOCHS } from '../../../sdk/src/conversations/limits.ts'
import { commit, createGroup, groupInfo } from '../../../sdk/src/mls/group.ts'
import { createKeyPackage } from '../../../sdk/src/mls/key-packages.ts'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import { ConversationNetwork, type Peer, texts } from '../support/conversation-network.ts'
import { trustingMls } from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

describe('a member who was left behind', () => {
  let mls: Mls
  before(async () => {
    mls = await trustingMls()
  })

  const start = async (count: number, role: 'admin' | 'member' = 'member') => {
    const network = new ConversationNetwork(mls, seededRandom(count))
    const peers = await network.conversation(count, role)
    return { network, peers, first: peers[0] as Peer, last: peers.at(-1) as Peer }
  }

  /** So many epochs, each by an admin who gives somebody another role. */
  const changes = async (
    network: ConversationNetwork,
    by: Peer,
    of: Peer,
    count: number,
    passMs = 500,
  ) => {
    const isAdmin = () => {
      const { inboxKey } = of.identity
      return by.active
        .members()
        .some((m) => `${m.inboxKey}` === `${inboxKey}` && m.role === 'admin')
    }
    for (let i = 0; i < count; i++) {
      await by.active.setRole(of.identity.inboxKey, isAdmin() ? 'member' : 'admin')
      await network.pass(passMs)
    }
  }

  const assertAlike = async (peers: readonly Peer[], expected: readonly string[]) => {
    for (const peer of peers) {
      assert.equal(peer.active.epoch, peers[0]?.active.epoch, peer.name)
      assert.deepEqual((await texts(peer)).sort(), [...expected].sort(), peer.name)
    }
  }

  it('is told what follows in packets that it can open, when a commit was lost', async () => {
    const { network, peers, first, last } = await start(3)
    network.isLost = (_, to) => to === last
    await changes(network, first, peers[1] as Peer, 3)
    network.isLost = () => false
    await last.active.send(utf8('where is everybody?'))
    await network.pass(20_000)
    await assertAlike(peers, ['where is everybody?'])
    assert.equal(last.active.counts.get('came-back'), undefined)
  })

  it('is told of a commit by whoever made it, though nobody says anything', async () => {
    const { network, peers, first, last } = await start(3)
    network.isLost = (_, to) => to === last
    await changes(network, first, peers[1] as Peer, 1)
    network.isLost = () => false
    await network.pass(20_000)
    await assertAlike(peers, [])
  })

  it('comes back from further away than commits are kept, with its history and what it wrote', async () => {
    const { network, peers, first, last } = await start(3)
    await last.active.send(utf8('I shall be away'))
    await network.pass(5000)
    last.side = 1
    await last.active.send(utf8('written on the train'))
    await changes(network, first, peers[1] as Peer, KEPT_COMMITS + 2)
    await first.active.send(utf8('said meanwhile'))
    await network.pass(60_000)
    last.side = 0
    await last.restart()
    await network.pass(120_000)
    const all = ['I shall be away', 'said meanwhile', 'written on the train']
    await assertAlike(peers, all)
    assert.equal(last.active.counts.get('came-back'), 1)
    assert.equal(last.active.members().length, 3)
  })

  it('finds the others when both sides of a parted group went further than rivals are compared', async () => {
    const { network, peers, first, last } = await start(4, 'admin')
    const [, second, third] = peers as [Peer, Peer, Peer, Peer]
    third.side = 1
    last.side = 1
    // the steward of an epoch may be on the other side: its deputies wait
    await changes(network, first, second, KEPT_EPOCHS + 3, 12_000)
    await changes(network, third, last, KEPT_EPOCHS + 1, 12_000)
    await second.active.send(utf8('on this side'))
    await last.active.send(utf8('on that side'))
    await network.pass(60_000)
    for (const peer of peers) peer.side = 0
    for (const peer of peers) await peer.restart()
    await network.pass(600_000)
    await assertAlike(peers, ['on this side', 'on that side'])
    assert.ok(peers.some(({ active }) => active.counts.has('came-back')))
  })

  it('learns from an admin that it was removed, when it missed that', async () => {
    const { network, peers, first, last } = await start(3)
    last.side = 1
    await first.active.remove(last.identity.inboxKey)
    await network.pass(5000)
    await changes(network, first, peers[1] as Peer, KEPT_EPOCHS + 1)
    await network.pass(60_000)
    last.side = 0
    await last.restart()
    await network.pass(120_000)
    assert.equal(last.active.ended, 'removed')
    assert.ok([...first.active.counts].some(([outcome]) => outcome === 'aside-answered'))
    assert.equal(first.active.members().length, 2)
  })

  it('believes no answer that it did not ask for, and answers nobody twice in a moment', async () => {
    const { network, peers, first, last } = await start(3)
    const [, second] = peers as [Peer, Peer, Peer]
    const { inboxKey } = first.identity
    const challenge = new Uint8Array(32).fill(1)
    const standing = { epoch: 99, epochId: 'ab'.repeat(16) }
    const sealFor = new Uint8Array(32)
    const groupInfo = new Uint8Array()
    const answer = encodeAside({ ...standing, kind: 'answer', challenge, sealFor, groupInfo })
    assert.equal(await last.active.receiveAside(inboxKey, answer), 'aside-unasked')
    assert.equal(await last.active.receiveAside(inboxKey, answer.subarray(1)), 'aside-malformed')
    const question = encodeAside({ ...standing, epoch: 0, kind: 'question', challenge })
    const asking = second.identity.inboxKey
    assert.equal(await first.active.receiveAside(asking, question), 'aside-answered')
    assert.equal(await first.active.receiveAside(asking, question), 'aside-flood')
    await network.pass(5000)
    assert.equal(second.active.counts.get('aside-unasked'), 1)
    assert.equal(last.active.ended, undefined)
  })

  it('follows no plain member to people whom it does not know', async () => {
    const { network, peers, first, last } = await start(3)
    const [, second] = peers as [Peer, Peer, Peer]
    const mallory = await network.peer('mallory')
    const { id, address } = last.active
    assert.ok(address)
    const groupOfAll = async (by: Peer, newcomers: readonly Peer[]) => {
      const admins = [by.identity.inboxKey]
      const own = await createKeyPackage(mls, by.identity)
      const groupData = encodeGroupData({ address, admins })
      let state = await createGroup(mls, { groupId: id, own, groupData })
      for (const { identity } of [last, ...newcomers]) {
        const { keyPackage } = await createKeyPackage(mls, identity)
        state = (await commit(mls, state, { add: [keyPackage] })).state
      }
      for (let i = 0; i < 9; i++) state = (await commit(mls, state, {})).state
      return { epoch: state.epoch, groupInfo: await groupInfo(mls, state) }
    }
    const answerOf = async (by: Peer, newcomers: readonly Peer[]) => {
      const asked = () =>
        last.events.findLast(
          (event) => event.type === 'aside' && equalBytes(event.to, by.identity.inboxKey),
        )
      while (!asked()) await network.pass(20_000)
      const event = asked()
      const question = event?.type === 'aside' ? decodeAside(event.bytes) : undefined
      assert.ok(question)
      const answer = encodeAside({
        kind: 'answer',
        challenge: question.challenge,
        epochId: 'ab'.repeat(16),
        sealFor: new Uint8Array(32),
        ...(await groupOfAll(by, newcomers)),
      })
      return last.active.receiveAside(by.identity.inboxKey, answer)
    }
    network.isLost = () => true
    await last.active.send(utf8('is anybody there?'))
    assert.equal(await answerOf(second, [mallory]), 'aside-refused')
    // one who leaves the admins as they are, and nobody out, would be followed: this one is admin there
    await network.pass(200_000)
    assert.equal(await answerOf(second, [first]), 'aside-refused')
    assert.equal(last.active.members().length, 3)
    // an admin may lead anywhere: it could have added them
    assert.equal(await answerOf(first, [mallory]), 'came-back')
    assert.equal(last.active.members().length, 3)
    assert.ok(
      last.active.members().some(({ inboxKey }) => equalBytes(inboxKey, mallory.identity.inboxKey)),
    )
  })

  it('gives strangers no answer, and no key to who was removed', async () => {
    const { network, peers, first, last } = await start(3)
    const stranger = await network.peer('stranger')
    const challenge = new Uint8Array(32).fill(2)
    const standing = { epoch: 0, epochId: 'cd'.repeat(16) }
    const question = encodeAside({ ...standing, kind: 'question', challenge })
    const { inboxKey } = stranger.identity
    assert.equal(await first.active.receiveAside(inboxKey, question), 'aside-stranger')
    assert.equal(
      first.events.some(({ type }) => type === 'aside'),
      false,
    )
    await first.active.remove(last.identity.inboxKey)
    await network.pass(5000)
    await first.active.receiveAside(last.identity.inboxKey, question)
    const said = first.events.findLast(({ type }) => type === 'aside')
    const answer = said?.type === 'aside' ? decodeAside(said.bytes) : undefined
    assert.ok(answer?.kind === 'answer' && peers.length === 3)
    assert.deepEqual([answer.groupInfo.length, answer.sealFor], [0, new Uint8Array(32)])
  })
})
