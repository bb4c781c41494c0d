import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { createKeyPair, encodeContactCode, MainframeError, toHex } from '@mainframe/protocol'
import { ContactRecords, MAX_ASKED } from '../../../sdk/src/messenger/contact-records.ts'
import { decodeLetter, encodeLetter, requestTerms } from '../../../sdk/src/messenger/letter.ts'
import { findNonce } from '../../../sdk/src/messenger/proof-of-work.ts'
import { introduce, Person, PostOffice } from '../support/post-office.ts'

describe('Contacts', { timeout: 60_000 }, () => {
  let office: PostOffice
  let alice: Person
  let bob: Person

  beforeEach(async () => {
    office = new PostOffice()
    alice = await new Person(office).open()
    bob = await new Person(office).open()
  })
  afterEach(async () => {
    await alice.close()
    await bob.close()
  })

  /** The newest letter of a kind, and how to deliver it again with changes. */
  function letterOf<K extends 'request' | 'accept'>(kind: K) {
    const sent = office.letters.findLast(({ bytes }) => decodeLetter(bytes)?.kind === kind)
    assert.ok(sent)
    const letter = decodeLetter(sent.bytes)
    assert.equal(letter?.kind, kind)
    return { ...sent, letter: letter as Extract<typeof letter, { kind: K }> }
  }

  async function asked(introduction = 'It is me') {
    await alice.messenger.contacts.request(bob.code, { introduction })
    return await bob.until('contact')
  }

  it('cannot be oneself, nobody, or somebody who was blocked', async () => {
    const { contacts } = alice.messenger
    await assert.rejects(contacts.request(alice.code), { code: 'VALIDATION_FAILED' })
    await assert.rejects(contacts.request('mf1nobody'), { code: 'CODEC_INVALID' })
    await contacts.block(bob.code)
    await assert.rejects(contacts.request(bob.code), { code: 'VALIDATION_FAILED' })
    await assert.rejects(contacts.accept(bob.code), MainframeError)
  })

  it('are not introduced at length', async () => {
    const introduction = 'x'.repeat(281)
    const request = alice.messenger.contacts.request(bob.code, { introduction })
    await assert.rejects(request, { code: 'VALIDATION_FAILED' })
  })

  it('do not hear who has not worked for it', async () => {
    await asked()
    const { letter, ...sent } = letterOf('request')
    const cheap = encodeLetter({ ...letter, challenge: new Uint8Array(32) })
    await office.deliver({ ...sent, bytes: cheap })
    assert.equal(bob.messenger.counts.get('no-work'), 1)
  })

  it('do not hear who asks in the name of another', async () => {
    await asked()
    const { bytes, to } = letterOf('request')
    await office.deliver({ from: createKeyPair().publicKey, to, bytes })
    assert.equal(bob.messenger.counts.get('bad-key-package'), 1)
    assert.equal(bob.messenger.contacts.list().length, 1)
  })

  it('are not led away by whoever they gave a key package to', async () => {
    await introduce(alice, bob)
    const { id } = bob.messenger.conversationWith(alice.code) ?? {}
    await alice.messenger.contacts.request(encodeContactCode(createKeyPair().publicKey))
    // all that a recipient can change: the key package is Alice's, the work is done for Bob
    const [from, to] = [alice.keyPair.publicKey, bob.keyPair.publicKey]
    const letter = { ...letterOf('request').letter, challenge: new Uint8Array(32).fill(7) }
    const nonce = await findNonce({ recipient: to, terms: requestTerms(letter) })
    await office.deliver({ from, to, bytes: encodeLetter({ ...letter, nonce }) })
    assert.equal(bob.messenger.conversationWith(alice.code)?.id, id)
    assert.equal(bob.messenger.conversations().length, 1)
    assert.equal(bob.messenger.counts.get('bad-signature'), 1)
  })

  it('answer one request once, however often it is brought', async () => {
    await introduce(alice, bob)
    const { id } = bob.messenger.conversationWith(alice.code) ?? {}
    const { letter: _, ...sent } = letterOf('request')
    await alice.messenger.contacts.request(bob.code)
    await bob.until('conversation', ({ conversation }) => conversation.id !== id)
    await office.deliver(sent)
    assert.equal(bob.messenger.counts.get('unexpected'), 1)
    assert.equal(bob.messenger.conversations().length, 2)
  })

  it('who ask again and again are asked about in the end', async () => {
    await introduce(alice, bob)
    const begun = () => bob.messenger.conversations().length
    for (let count = 2; count <= 9; count++) {
      await alice.messenger.contacts.request(bob.code, { introduction: `for the ${count}th time` })
      if (count <= 8) await bob.until('conversation', () => begun() === count)
    }
    const introduction = 'for the 9th time'
    await bob.until('contact', ({ contact }) => contact.introduction === introduction)
    assert.equal(bob.messenger.contacts.get(alice.code)?.state, 'asked')
    assert.equal(begun(), 8)
  })

  it('are not accepted by somebody who has not read the request', async () => {
    await asked()
    await bob.messenger.contacts.accept(alice.code)
    await alice.until('contact')
    const { letter, ...sent } = letterOf('accept')
    await alice.messenger.contacts.request(bob.code, {})
    const bytes = encodeLetter({ ...letter, proof: new Uint8Array(32) })
    await office.deliver({ ...sent, bytes })
    assert.equal(alice.messenger.counts.get('bad-proof'), 1)
  })

  it('show of a stranger the introduction, and nothing else', async () => {
    const { contact } = await asked('Alice, from the choir')
    assert.deepEqual(contact, {
      code: alice.code,
      state: 'asked',
      introduction: 'Alice, from the choir',
      name: undefined,
      conversationId: undefined,
      isVerified: false,
      isKeyChanged: false,
    })
  })

  it('who are refused or blocked are told nothing', async () => {
    await asked()
    await bob.messenger.contacts.refuse(alice.code)
    assert.deepEqual(bob.messenger.contacts.list(), [])
    await bob.messenger.contacts.block(alice.code)
    await alice.messenger.contacts.request(bob.code)
    await bob.counts('blocked')
    assert.ok(office.letters.every(({ from }) => from === alice.keyPair.publicKey))
    await bob.messenger.contacts.unblock(alice.code)
    assert.deepEqual(bob.messenger.contacts.list(), [])
  })

  it('have the same safety number on both sides', async () => {
    await introduce(alice, bob)
    const number = alice.messenger.contacts.safetyNumber(bob.code)
    assert.match(number, /^\d{5}( \d{5}){11}$/)
    assert.equal(bob.messenger.contacts.safetyNumber(alice.code), number)
    assert.equal((await bob.messenger.contacts.verify(alice.code)).isVerified, true)
  })

  it('who ask each other at once have one conversation', async () => {
    await Promise.all([
      alice.messenger.contacts.request(bob.code),
      bob.messenger.contacts.request(alice.code),
    ])
    await Promise.all([alice.until('conversation'), bob.until('conversation')])
    const [ours, theirs] = [alice, bob].map(({ messenger }) => messenger.conversations())
    assert.deepEqual(
      ours?.map(({ id }) => id),
      theirs?.map(({ id }) => id),
    )
    assert.equal(ours?.length, 1)
  })

  it('with another key than before are asked about again, and the old one stays until then', async () => {
    await introduce(alice, bob)
    const before = bob.messenger.contacts.safetyNumber(alice.code)
    await bob.messenger.contacts.verify(alice.code)
    const again = new Person(office)
    Object.assign(again, { keyPair: alice.keyPair })
    await alice.close()
    await again.open()
    await again.messenger.contacts.request(bob.code, { introduction: 'A new telephone' })
    const { contact } = await bob.until('contact', (event) => event.contact.isKeyChanged)
    assert.equal(contact.state, 'asked')
    await bob.messenger.contacts.refuse(contact.code)
    const kept = bob.messenger.contacts.get(contact.code)
    assert.deepEqual([kept?.state, kept?.isKeyChanged, kept?.isVerified], ['accepted', false, true])
    assert.equal(bob.messenger.contacts.safetyNumber(contact.code), before)
    bob.events.length = 0
    await again.messenger.contacts.request(bob.code, { introduction: 'A new telephone' })
    await bob.until('contact', (event) => event.contact.isKeyChanged)
    assert.notEqual(bob.messenger.contacts.safetyNumber(contact.code), before)
    const accepted = await bob.messenger.contacts.accept(contact.code)
    assert.deepEqual([accepted.isKeyChanged, accepted.isVerified], [false, false])
    await again.close()
  })

  it('that wait for an answer are a hundred at most', async () => {
    const { store } = bob
    await bob.close()
    const records = await ContactRecords.open(store)
    for (let i = 0; i < MAX_ASKED; i++) {
      const inboxKey = toHex(createKeyPair().publicKey)
      await records.put({ inboxKey, state: 'asked', updatedAtMs: i })
    }
    await bob.open()
    await alice.messenger.contacts.request(bob.code)
    await bob.counts('too-many')
    assert.deepEqual([...bob.messenger.counts], [['too-many', 1]])
  })
})
