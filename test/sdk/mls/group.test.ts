import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { errorCode, utf8 } from '@mainframe/protocol'
import {
  commit,
  encrypt,
  epochAuthenticator,
  exportSecret,
  groupData,
  groupInfo,
  members,
  ownLeaf,
  rejoin,
} from '../../../sdk/src/mls/group.ts'
import { createIdentity, sign, verify } from '../../../sdk/src/mls/identity.ts'
import { join } from '../../../sdk/src/mls/join.ts'
import { createKeyPackage, readKeyPackage } from '../../../sdk/src/mls/key-packages.ts'
import { peek, process } from '../../../sdk/src/mls/process.ts'
import { decodeState, encodeRatchets, encodeTree, wipe } from '../../../sdk/src/mls/state.ts'
import { type Mls, openMls } from '../../../sdk/src/mls/suites.ts'
import {
  follow,
  GROUP_DATA,
  GROUP_ID,
  groupOfMembers,
  joinBy,
  newcomer,
  trustingMls,
} from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

const damaged = (bytes: Uint8Array, at: number) => {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ 1
  return copy
}

describe('an MLS group', () => {
  let mls: Mls
  before(async () => {
    mls = await trustingMls()
  })

  it('refuses inbox keys of a wrong length', async () => {
    await assert.rejects(createIdentity(mls, new Uint8Array(31)), (error) => {
      return errorCode(error) === 'CRYPTO_INVALID_KEY'
    })
  })

  it('has a name for whatever is wrong with bytes, and throws nothing', async () => {
    const [alice, bob, carol] = await groupOfMembers(mls, 3)
    assert.ok(alice && bob && carol)
    const { bytes } = await encrypt(mls, alice.state, utf8('hello'))
    const kind = async (changed: Uint8Array) => (await process(mls, bob.state, changed)).kind
    assert.equal(await kind(new Uint8Array()), 'malformed')
    assert.equal(await kind(bytes.subarray(1)), 'malformed')
    assert.equal(await kind(Uint8Array.of(...bytes, 0)), 'malformed')
    assert.equal(await kind(alice.own.keyPackage), 'malformed')
    assert.equal(await kind(damaged(bytes, 5)), 'wrong-group')
    assert.equal(await kind(damaged(bytes, 28)), 'wrong-epoch')
    assert.equal(await kind(damaged(bytes, 40)), 'foreign')
    assert.equal(await kind(damaged(bytes, bytes.length - 1)), 'invalid')
    assert.equal((await process(mls, alice.state, bytes)).kind, 'own')
  })

  it('opens a message once only', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    assert.ok(alice && bob)
    const { bytes } = await encrypt(mls, alice.state, utf8('hello'))
    const first = await process(mls, bob.state, bytes)
    assert.equal(first.kind, 'message')
    if (first.kind !== 'message') return
    assert.deepEqual(first.text, utf8('hello'))
    assert.equal(first.sender, ownLeaf(alice.state))
    assert.equal((await process(mls, first.state, bytes)).kind, 'invalid')
  })

  it('opens messages in whatever order', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    assert.ok(alice && bob)
    const sent: Uint8Array[] = []
    let { state } = alice
    for (let i = 0; i < 20; i++) {
      const sealed = await encrypt(mls, state, Uint8Array.of(i))
      state = sealed.state
      sent.push(sealed.bytes)
    }
    let reader = bob.state
    for (const bytes of sent.reverse()) {
      const result = await process(mls, reader, bytes)
      assert.equal(result.kind, 'message')
      if (result.kind === 'message') reader = result.state
    }
  })

  it('does not believe what the authentication callback does not', async () => {
    const strict = await openMls({ suite: 'x25519', authenticate: () => false })
    const { own } = await newcomer(mls)
    assert.equal(await readKeyPackage(strict, own.keyPackage), undefined)
    const [alice] = await groupOfMembers(mls, 1)
    const bob = await newcomer(mls)
    assert.ok(alice)
    const { welcome } = await commit(mls, alice.state, { add: [bob.own.keyPackage] })
    assert.ok(welcome)
    assert.equal(await join(strict, { welcome, own: bob.own }), undefined)
  })

  it('refuses welcomes for somebody else, damaged ones, and other bytes', async () => {
    const [alice] = await groupOfMembers(mls, 1)
    const [bob, carol] = [await newcomer(mls), await newcomer(mls)]
    assert.ok(alice)
    const { welcome } = await commit(mls, alice.state, { add: [bob.own.keyPackage] })
    assert.ok(welcome)
    assert.equal(await join(mls, { welcome, own: carol.own }), undefined)
    assert.equal(await join(mls, { welcome: bob.own.keyPackage, own: bob.own }), undefined)
    const random = seededRandom(1)
    for (let i = 0; i < 20; i++) {
      const changed = damaged(welcome, Math.floor(random() * welcome.length))
      assert.equal(await join(mls, { welcome: changed, own: bob.own }), undefined, `byte of ${i}`)
    }
  })

  it('refuses key packages that are damaged or for another ciphersuite', async () => {
    const { own, identity } = await newcomer(mls)
    assert.deepEqual((await readKeyPackage(mls, own.keyPackage))?.inboxKey, identity.inboxKey)
    for (let at = 0; at < own.keyPackage.length; at += 7) {
      assert.equal(await readKeyPackage(mls, damaged(own.keyPackage, at)), undefined, `byte ${at}`)
    }
    const hybrid = await trustingMls('xwing')
    const other = await createKeyPackage(hybrid, await createIdentity(hybrid, identity.inboxKey))
    assert.equal(await readKeyPackage(mls, other.keyPackage), undefined)
    const [alice] = await groupOfMembers(mls, 1)
    assert.ok(alice)
    await assert.rejects(commit(mls, alice.state, { add: [other.keyPackage] }), (error) => {
      return errorCode(error) === 'VALIDATION_FAILED'
    })
  })

  it('tells a member that it is removed, and shows it nothing afterwards', async () => {
    const [alice, bob, carol] = await groupOfMembers(mls, 3)
    assert.ok(alice && bob && carol)
    const removal = await commit(mls, alice.state, { remove: [ownLeaf(carol.state)] })
    assert.equal((await process(mls, carol.state, removal.commit)).kind, 'removed')
    const after = await follow(mls, bob.state, removal.commit)
    assert.equal(members(after).length, 2)
    const { bytes } = await encrypt(mls, removal.state, utf8('without carol'))
    assert.equal((await process(mls, after, bytes)).kind, 'message')
    assert.notEqual((await process(mls, carol.state, bytes)).kind, 'message')
  })

  it('keeps a stolen state out after the next update of its member', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    assert.ok(alice && bob)
    const stolen = decodeState(mls, {
      tree: encodeTree(bob.state),
      ratchets: encodeRatchets(bob.state),
    })
    assert.ok(stolen)
    const update = await commit(mls, bob.state, {})
    const aliceAfter = await follow(mls, alice.state, update.commit)
    const { bytes } = await encrypt(mls, aliceAfter, utf8('healed'))
    assert.equal((await process(mls, update.state, bytes)).kind, 'message')
    // The thief has bob's keys of before, and cannot follow the commit that bob made himself.
    assert.equal((await process(mls, stolen, update.commit)).kind, 'own')
    assert.equal((await process(mls, stolen, bytes)).kind, 'wrong-epoch')
  })

  it('reads rival commits upon one state, one after the other', async () => {
    const [alice, bob, carol] = await groupOfMembers(mls, 3)
    assert.ok(alice && bob && carol)
    const [one, two] = [await commit(mls, alice.state, {}), await commit(mls, bob.state, {})]
    const first = await follow(mls, carol.state, one.commit)
    const second = await follow(mls, carol.state, two.commit)
    assert.deepEqual(epochAuthenticator(first), epochAuthenticator(one.state))
    assert.deepEqual(epochAuthenticator(second), epochAuthenticator(two.state))
    assert.notDeepEqual(epochAuthenticator(first), epochAuthenticator(second))
    const { bytes } = await encrypt(mls, two.state, utf8('in the other branch'))
    assert.equal((await process(mls, first, bytes)).kind, 'foreign')
    assert.equal((await process(mls, second, bytes)).kind, 'message')
  })

  it('keeps later epochs usable when an earlier one is wiped', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    assert.ok(alice && bob)
    const update = await commit(mls, alice.state, {})
    const bobAfter = await follow(mls, bob.state, update.commit)
    wipe(bob.state, [bobAfter])
    wipe(alice.state, [update.state])
    const next = await commit(mls, bobAfter, {})
    const aliceNext = await follow(mls, update.state, next.commit)
    const { bytes } = await encrypt(mls, aliceNext, utf8('still here'))
    assert.equal((await process(mls, next.state, bytes)).kind, 'message')
    const { bytes: gone } = await encrypt(mls, update.state, utf8('x'))
    assert.equal((await process(mls, bob.state, gone)).kind, 'wrong-epoch')
  })

  it('brings a member back into its own place, and nobody else', async () => {
    const [alice, bob] = await groupOfMembers(mls, 3)
    assert.ok(alice && bob)
    const info = await groupInfo(mls, alice.state)
    const own = await createKeyPackage(mls, bob.identity)
    const back = await rejoin(mls, { groupInfo: info, own, authenticatedData: Uint8Array.of(9) })
    assert.ok(back)
    const processed = await process(mls, alice.state, back.commit)
    assert.equal(processed.kind, 'commit')
    if (processed.kind !== 'commit') return
    assert.equal(processed.summary.isRejoin, true)
    assert.deepEqual(processed.summary.authenticatedData, Uint8Array.of(9))
    const { bytes } = await encrypt(mls, processed.state, utf8('welcome back'))
    assert.equal((await process(mls, back.state, bytes)).kind, 'message')
    const stranger = await newcomer(mls)
    assert.equal(await rejoin(mls, { groupInfo: info, own: stranger.own }), undefined)
    assert.equal(await rejoin(mls, { groupInfo: damaged(info, 90), own }), undefined)
  })

  it('exports the same secret to all members of an epoch', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    assert.ok(alice && bob)
    const wanted = { label: 'test', context: Uint8Array.of(1), length: 32 }
    const secret = await exportSecret(mls, alice.state, wanted)
    assert.equal(secret.length, 32)
    assert.deepEqual(await exportSecret(mls, bob.state, wanted), secret)
    const update = await commit(mls, alice.state, {})
    assert.notDeepEqual(await exportSecret(mls, update.state, wanted), secret)
  })

  it('carries group data, welcome data and authenticated data', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    const carol = await newcomer(mls)
    assert.ok(alice && bob)
    assert.deepEqual(groupData(bob.state), GROUP_DATA)
    const change = await commit(mls, alice.state, {
      add: [carol.own.keyPackage],
      groupData: Uint8Array.of(5),
      welcomeData: Uint8Array.of(6),
      authenticatedData: Uint8Array.of(7),
    })
    const processed = await process(mls, bob.state, change.commit)
    assert.equal(processed.kind, 'commit')
    if (processed.kind !== 'commit') return
    assert.deepEqual(processed.summary.authenticatedData, Uint8Array.of(7))
    assert.equal(processed.summary.changesGroupData, true)
    assert.deepEqual(processed.summary.added[0]?.inboxKey, carol.identity.inboxKey)
    assert.ok(change.welcome)
    const joined = await join(mls, { welcome: change.welcome, own: carol.own })
    assert.deepEqual(joined?.welcomeData, Uint8Array.of(6))
    assert.deepEqual(joined?.welcomer.inboxKey, alice.identity.inboxKey)
    assert.ok(joined)
    assert.deepEqual(groupData(joined.state), Uint8Array.of(5))
  })

  it('survives being written down', async () => {
    const [alice, bob] = await groupOfMembers(mls, 2)
    assert.ok(alice && bob)
    const encoded = { tree: encodeTree(bob.state), ratchets: encodeRatchets(bob.state) }
    assert.equal(
      decodeState(mls, { ...encoded, ratchets: encoded.ratchets.subarray(9) }),
      undefined,
    )
    const again = decodeState(mls, encoded)
    assert.ok(again)
    const { bytes } = await encrypt(mls, alice.state, utf8('hello'))
    assert.equal((await process(mls, again, bytes)).kind, 'message')
  })

  it('tells group, epoch and content without a key', async () => {
    const [alice] = await groupOfMembers(mls, 2)
    assert.ok(alice)
    const { bytes } = await encrypt(mls, alice.state, utf8('hello'))
    assert.deepEqual(peek(bytes), { groupId: GROUP_ID, epoch: 1, content: 'application' })
    assert.equal(peek(Uint8Array.of(1, 2, 3)), undefined)
  })

  it('signs with the key of a member', async () => {
    const { identity } = await newcomer(mls)
    const text = utf8('signed')
    const signature = await sign(mls, identity.signatureSecret, text)
    const { signatureKey } = identity
    assert.equal(await verify(mls, { signatureKey, text, signature }), true)
    assert.equal(await verify(mls, { signatureKey, text: utf8('other'), signature }), false)
    const key = new Uint8Array(3)
    assert.equal(await verify(mls, { signatureKey: key, text, signature }), false)
  })

  it('works with the hybrid suite too', async () => {
    const hybrid = await trustingMls('xwing')
    const [alice, bob] = await groupOfMembers(hybrid, 2)
    const carol = await newcomer(hybrid)
    assert.ok(alice && bob)
    const added = await commit(hybrid, alice.state, { add: [carol.own.keyPackage] })
    const carolState = await joinBy(hybrid, added, carol.own)
    const bobAfter = await follow(hybrid, bob.state, added.commit)
    const { bytes } = await encrypt(hybrid, bobAfter, utf8('hybrid'))
    assert.equal((await process(hybrid, carolState, bytes)).kind, 'message')
    const encoded = { tree: encodeTree(carolState), ratchets: encodeRatchets(carolState) }
    assert.ok(decodeState(hybrid, encoded))
  })
})
