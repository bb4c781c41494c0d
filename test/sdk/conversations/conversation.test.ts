import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { equalBytes, errorCode, utf8 } from '@mainframe/protocol'
import { readEpochs } from '../../../sdk/src/conversations/epoch.ts'
import { encodeFloor, encodeGroupData } from '../../../sdk/src/conversations/group-data.ts'
import {
  MAX_BODY_BYTES,
  MAX_MISSING_BY_ONE,
  UPDATE_MS,
} from '../../../sdk/src/conversations/limits.ts'
import { signMessage } from '../../../sdk/src/conversations/message.ts'
import { encodePayload, type Payload } from '../../../sdk/src/conversations/payloads.ts'
import { shelfOf } from '../../../sdk/src/conversations/shelf.ts'
import { decodeWire, encodeWire } from '../../../sdk/src/conversations/wire.ts'
import { commit, encrypt, members } from '../../../sdk/src/mls/group.ts'
import { peek, process } from '../../../sdk/src/mls/process.ts'
import type { MlsState } from '../../../sdk/src/mls/state.ts'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import { ConversationNetwork, type Peer, texts } from '../support/conversation-network.ts'
import { trustingMls } from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

const isCode = (code: string) => (error: unknown) => errorCode(error) === code

describe('a conversation', () => {
  let mls: Mls
  before(async () => {
    mls = await trustingMls()
  })

  const start = async (count: number, role: 'admin' | 'member' = 'member') => {
    const network = new ConversationNetwork(mls, seededRandom(count))
    const peers = await network.conversation(count, role)
    return { network, peers, first: peers[0] as Peer, last: peers.at(-1) as Peer }
  }

  it('names what is wrong with bytes, counts it, and goes on', async () => {
    const { network, first, last } = await start(2)
    const random = seededRandom(9)
    const junk = Uint8Array.from({ length: 1500 }, () => random() * 256)
    assert.equal(await last.active.receive(junk), 'malformed')
    assert.equal(await last.active.receive(encodeWire(junk.subarray(0, 500))), 'malformed')
    await first.active.send(utf8('hello'))
    const sent = network.wire.at(-1)?.bytes ?? new Uint8Array()
    await network.pass(5000)
    assert.equal(await last.active.receive(sent), 'duplicate')
    const damaged = decodeWire(sent)?.slice() ?? new Uint8Array()
    damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1
    assert.equal(await last.active.receive(encodeWire(damaged)), 'invalid')
    assert.equal(last.active.counts.get('malformed'), 2)
    assert.deepEqual(await texts(last), ['hello'])
  })

  it('refuses what is too long, and what only admins may do', async () => {
    const { network, first, last } = await start(2)
    const long = new Uint8Array(MAX_BODY_BYTES + 1)
    await assert.rejects(last.active.send(long), isCode('MESSAGE_TOO_LONG'))
    await assert.rejects(last.active.whisper(1, new Uint8Array(5000)), isCode('MESSAGE_TOO_LONG'))
    const carol = await network.peer('carol')
    await assert.rejects(last.active.invite(carol.own.keyPackage), isCode('VALIDATION_FAILED'))
    const admin = first.identity.inboxKey
    await assert.rejects(last.active.remove(admin), isCode('VALIDATION_FAILED'))
    await assert.rejects(first.active.invite(utf8('no key package')), isCode('VALIDATION_FAILED'))
    await last.active.send(utf8('still here'))
    await network.pass(5000)
    assert.deepEqual(await texts(first), ['still here'])
  })

  it('refuses commits by members without the right, and group data that breaks a rule', async () => {
    const { network, peers, first, last } = await start(3)
    const middle = peers[1] as Peer
    const hostile = await stolenFrom(mls, last)
    const authenticatedData = encodeFloor(1)
    const [admin, other] = members(hostile)
    assert.ok(admin && other)
    const send = async (to: Peer, changes: Parameters<typeof commit>[2]) =>
      to.active.receive(encodeWire((await commit(mls, hostile, changes)).commit))
    assert.equal(await send(first, { remove: [admin.leaf], authenticatedData }), 'commit-not-admin')
    assert.equal(
      await send(middle, { remove: [other.leaf], authenticatedData }),
      'commit-not-admin',
    )
    assert.equal(await send(middle, { authenticatedData: utf8('x') }), 'commit-bad-floor')
    const groupData = encodeGroupData({
      address: new Uint8Array(32),
      admins: [last.identity.inboxKey],
    })
    assert.equal(await send(middle, { groupData, authenticatedData }), 'commit-not-admin')
    const byAdmin = await stolenFrom(mls, first)
    const evil = await commit(mls, byAdmin, { groupData, authenticatedData })
    assert.equal(await last.active.receive(encodeWire(evil.commit)), 'commit-address-changed')
    assert.equal(await last.active.receive(encodeWire(evil.commit)), 'duplicate')
    await first.active.send(utf8('nothing has changed'))
    await network.pass(5000)
    for (const peer of peers) {
      assert.equal(peer.active.members().length, 3)
      assert.deepEqual(await texts(peer), ['nothing has changed'])
    }
  })

  it('believes no message in the name of another, and no flood of made-up parents', async () => {
    const { network, first, last } = await start(2)
    let hostile = await stolenFrom(mls, last)
    const say = async (payload: Payload) => {
      const sealed = await encrypt(mls, hostile, encodePayload(payload))
      hostile = sealed.state
      return first.active.receive(encodeWire(sealed.bytes))
    }
    const unsigned = {
      salt: new Uint8Array(16),
      lamport: 5,
      epochId: 'ab'.repeat(16),
      isComplete: true,
      kind: 0,
      parents: [],
      body: utf8('I am Alice'),
    }
    const { id } = first.active
    const asAlice = { ...last.identity, inboxKey: first.identity.inboxKey }
    const { bytes } = await signMessage(mls, asAlice, id, unsigned)
    assert.equal(await say({ kind: 'message', bytes }), 'message-forged')
    assert.equal(await say({ kind: 'give', messages: [bytes] }), 'give')
    assert.equal(first.active.counts.get('message-unsigned'), 1)
    assert.equal(await say({ kind: 'give', messages: [utf8('short')] }), 'give')
    assert.equal(first.active.counts.get('message-malformed'), 1)
    const random = seededRandom(3)
    let outcome = 'sync'
    for (let i = 0; i < 20; i++) {
      const made = () => `${random()}`.slice(2, 18).padEnd(32, '0')
      const lacking = Array.from({ length: 32 }, () => ({ id: made(), lamport: 9 }))
      const statement = { heads: [], lacking, isCut: false }
      outcome = await say({ kind: 'sync', wantsAnswer: false, statement })
    }
    assert.equal(outcome, 'sync-flood')
    assert.equal(first.active.recovering, MAX_MISSING_BY_ONE)
    assert.deepEqual(await texts(first), [])
    void network
  })

  it('shows a removed member nothing that is sent afterwards, and lets it end', async () => {
    const { network, peers, first, last } = await start(3)
    await last.active.send(utf8('before'))
    await network.pass(5000)
    const state = await stolenFrom(mls, last)
    const keys = last.active.inboxKeys().map(({ publicKey }) => publicKey)
    await first.active.remove(last.identity.inboxKey)
    await network.pass(5000)
    assert.equal(last.active.ended, 'removed')
    assert.deepEqual(last.active.inboxKeys(), [])
    const left = (await last.store.list('c.')).map((key) => key.slice(35, 37))
    assert.ok(
      left.every((key) => ['m.', 'me', 'o.', 'p.'].includes(key)),
      'no keys are left',
    )
    const from = network.wire.length
    await first.active.send(utf8('after'))
    await network.pass(10_000)
    assert.deepEqual(await texts(peers[1] as Peer), ['before', 'after'])
    assert.deepEqual(await texts(last), ['before'])
    await assert.rejects(last.active.send(utf8('x')), isCode('VALIDATION_FAILED'))
    // Its client of before the removal, kept running, opens none of it, and no packet is for it.
    for (const { bytes } of network.wire.slice(from)) {
      const result = await process(mls, state, decodeWire(bytes) ?? new Uint8Array())
      assert.notEqual(result.kind, 'message')
    }
    const [newest] = first.active.inboxKeys()
    assert.ok(newest && !keys.some((key) => equalBytes(key, newest.publicKey)))
    await last.restart()
    assert.equal(last.active.ended, 'removed')
    assert.deepEqual(await texts(last), ['before'])
  })

  it('keeps a thief of keys out after the next update of their owner', async () => {
    const { network, first, last } = await start(2)
    const stolen = await stolenFrom(mls, last)
    await network.pass(UPDATE_MS + 60_000)
    const from = network.wire.length
    assert.ok((last.active.epoch ?? 0) > stolen.epoch)
    await first.active.send(utf8('healed'))
    await network.pass(5000)
    assert.deepEqual(await texts(last), ['healed'])
    for (const { bytes } of network.wire.slice(from)) {
      const result = await process(mls, stolen, decodeWire(bytes) ?? new Uint8Array())
      assert.notEqual(result.kind, 'message')
    }
  })

  it('makes no two ciphertexts from one state, wherever it is killed', async () => {
    for (let writes = 0; writes < 5; writes++) {
      const { network, first, last } = await start(2)
      first.writesLeft = writes
      await assert.rejects(
        first.active.send(utf8('before the kill')).then(() => first.active.send(utf8('x'))),
      )
      await first.restart()
      await first.active.send(utf8('after the kill'))
      await network.pass(20_000)
      assert.equal(last.active.counts.get('invalid') ?? 0, 0, `killed after ${writes} writes`)
      const [mine, theirs] = [await texts(first), await texts(last)]
      assert.deepEqual(theirs, mine)
      assert.equal(mine.at(-1), 'after the kill')
    }
  })

  it('makes no two commits upon one state, wherever it is killed, and does what was asked', async () => {
    for (let writes = 0; writes < 10; writes++) {
      const { network, peers, first, last } = await start(3)
      const carol = await network.peer('carol')
      const { inboxKey } = last.identity
      const ask = async () => {
        // a removal renews keys, so that no two commits of it are the same
        await first.active.remove(inboxKey).catch(() => {})
        await first.active.invite(carol.own.keyPackage).catch(() => {})
      }
      first.writesLeft = writes
      await ask()
      await network.pass(1000)
      await first.restart()
      await ask()
      await network.pass(20_000)
      for (const { name, active } of [first, peers[1] as Peer, carol]) {
        const names = active.members().map((member) => `${member.inboxKey}`)
        assert.equal(names.length, 3, `${name}, after ${writes} writes`)
        assert.equal(names.includes(`${inboxKey}`), false, `${name}, after ${writes} writes`)
        assert.equal(active.epoch, first.active.epoch, `${name}, after ${writes} writes`)
      }
      const commits = new Map<number, Set<string>>()
      for (const { from, bytes } of network.wire) {
        const peeked = peek(decodeWire(bytes) ?? new Uint8Array())
        if (from !== first || peeked?.content !== 'commit') continue
        const upon = commits.get(peeked.epoch) ?? new Set()
        commits.set(peeked.epoch, upon.add(`${bytes}`))
      }
      for (const upon of commits.values()) assert.equal(upon.size, 1, `after ${writes} writes`)
    }
  })

  it('lets members go, the last admin after making another one', async () => {
    const { network, peers, first, last } = await start(3)
    await first.active.leave()
    await network.pass(20_000)
    assert.equal(first.active.ended, 'left')
    const rest = peers.slice(1)
    for (const { active } of rest) {
      assert.deepEqual(active.members().filter(({ role }) => role === 'admin').length, 1)
      assert.equal(active.members().length, 2)
    }
    await last.active.send(utf8('we two'))
    await network.pass(5000)
    for (const peer of rest) assert.deepEqual(await texts(peer), ['we two'])
  })

  it('goes on by a deputy when the steward is gone', async () => {
    const { network, peers } = await start(4, 'admin')
    const carol = await network.peer('newcomer')
    // Whoever would commit at once is not there.
    for (const gone of peers.slice(0, 2)) gone.isDown = true
    const [, , asking] = peers
    assert.ok(asking)
    await asking.active.invite(carol.own.keyPackage)
    await network.pass(30_000)
    assert.equal(carol.active.members().length, 5)
  })

  it('gives a newcomer the history from when it joined', async () => {
    const { network, first, last } = await start(2)
    await first.active.send(utf8('before'))
    await network.pass(5000)
    const carol = await network.peer('carol')
    await first.active.invite(carol.own.keyPackage)
    await network.pass(5000)
    await last.active.send(utf8('after'))
    await network.pass(10_000)
    assert.deepEqual(await texts(carol), ['after'])
    assert.equal(carol.active.recovering, 0)
  })

  it('brings messages to everybody, in one order, and says so', async () => {
    const { network, peers, first, last } = await start(3)
    const sent = await first.active.send(utf8('hello'))
    assert.equal(sent.delivery?.state, 'queued')
    await network.pass(100)
    await last.active.send(utf8('hi'))
    await network.pass(10_000)
    for (const peer of peers) assert.deepEqual(await texts(peer), ['hello', 'hi'])
    assert.deepEqual(first.delivery(sent.id), { state: 'delivered', to: 2, of: 2 })
  })
})

/** What a thief finds in a peer's store: the newest epoch. */
async function stolenFrom(mls: Mls, { store, active }: Peer): Promise<MlsState> {
  const epochs = await readEpochs(mls, shelfOf(store, active.id))
  const newest = epochs.sort((a, b) => b.epoch - a.epoch)[0]
  assert.ok(newest)
  return newest.state
}
