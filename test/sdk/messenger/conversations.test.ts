import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { equalBytes, errorCode, MainframeError } from '@mainframe/protocol'
import { encodeLetter } from '../../../sdk/src/messenger/letter.ts'
import { BODY_KINDS } from '../../../sdk/src/messenger/parts.ts'
import { introduce, Person, PostOffice, textOf } from '../support/post-office.ts'

describe('Conversations of a messenger', { timeout: 60_000 }, () => {
  let office: PostOffice
  let people: Person[]
  let alice: Person
  let bob: Person
  let carol: Person

  beforeEach(async () => {
    office = new PostOffice()
    ;[alice, bob, carol] = [new Person(office), new Person(office), new Person(office)]
    people = [alice, bob, carol]
    await Promise.all(people.map((person) => person.open()))
  })
  afterEach(async () => {
    await Promise.all(people.map((person) => person.close()))
  })

  /** The conversation of two. */
  function between(one: Person, other: Person) {
    const conversation = one.messenger.conversationWith(other.code)
    assert.ok(conversation)
    return conversation
  }

  /** A group of Alice, who invites the others. */
  async function groupOf(...others: Person[]) {
    for (const other of others) await introduce(alice, other)
    const group = await alice.messenger.createGroup('Choir')
    for (const other of others) {
      await alice.messenger.invite(group, other.code)
      const { invitation } = await other.until('invitation')
      assert.deepEqual([invitation.name, invitation.from], ['Choir', alice.code])
      await other.messenger.acceptInvitation(invitation.id)
      await other.until('conversation', ({ conversation }) => conversation.id === group.id)
    }
    return group
  }

  async function texts(person: Person, id: string): Promise<string[]> {
    const history = (await person.messenger.conversation(id)?.history()) ?? []
    return history.filter(({ kind }) => kind === 0).map(({ body }) => textOf(body))
  }

  it('take in no third person where two talk, and nobody who is no contact', async () => {
    await introduce(alice, bob)
    const { messenger } = alice
    await assert.rejects(messenger.invite(between(alice, bob), carol.code), {
      code: 'VALIDATION_FAILED',
    })
    const group = await messenger.createGroup('Choir')
    await assert.rejects(messenger.invite(group, carol.code), { code: 'VALIDATION_FAILED' })
    await assert.rejects(messenger.acceptInvitation('00'.repeat(16)), { code: 'VALIDATION_FAILED' })
  })

  it('offer a place in a group whose name is cut where a character ends', async () => {
    await introduce(alice, bob)
    const group = await alice.messenger.createGroup(`${'x'.repeat(198)}日本`)
    await alice.messenger.invite(group, bob.code)
    const { invitation } = await bob.until('invitation')
    assert.equal(invitation.name, 'x'.repeat(198))
  })

  it('take in others by their admins only, and nobody twice', async () => {
    const group = await groupOf(bob)
    await introduce(bob, carol)
    const theirs = bob.messenger.conversation(group.id)
    assert.ok(theirs)
    for (const [person, where, whom] of [
      [bob, theirs, carol],
      [alice, group, bob],
    ] as const) {
      const inviting = person.messenger.invite(where, whom.code)
      await assert.rejects(inviting, { code: 'VALIDATION_FAILED' })
      assert.deepEqual(await person.store.list(`invited.${group.id}`), [])
    }
  })

  it('open again when an invitation was accepted too late', async () => {
    const group = await groupOf(bob)
    await introduce(alice, carol)
    await alice.messenger.invite(group, carol.code)
    const { invitation } = await carol.until('invitation')
    const until = (person: Person, whose: Person, role: string) =>
      person.until('members', ({ conversation, members }) => {
        const its = members.find(({ inboxKey }) => equalBytes(inboxKey, whose.keyPair.publicKey))
        return conversation.id === group.id && its?.role === role
      })
    await group.setRole(bob.keyPair.publicKey, 'admin')
    await until(bob, bob, 'admin')
    await bob.messenger.conversation(group.id)?.setRole(alice.keyPair.publicKey, 'member')
    await until(alice, alice, 'member')
    await carol.messenger.acceptInvitation(invitation.id)
    await alice.until('message', ({ conversation, message }) => {
      return conversation.peer === carol.code && message.kind === BODY_KINDS.acceptance
    })
    await alice.close()
    await alice.open()
    assert.deepEqual(await alice.store.list('invited.'), [])
    assert.ok(alice.events.every(({ type }) => type !== 'trouble'))
  })

  it('of more than 64 groups are refused before anything is written', async () => {
    const made = Array.from({ length: 65 }, () => alice.messenger.createGroup('Choir'))
    const refused = (await Promise.allSettled(made)).filter(({ status }) => status === 'rejected')
    assert.equal(refused.length, 1)
    assert.equal((await alice.store.list('talk.')).length, 64)
    await assert.rejects(alice.messenger.createGroup('Choir'), { code: 'VALIDATION_FAILED' })
    await alice.messenger.conversations()[0]?.leave()
    await alice.until('ended')
    await alice.messenger.createGroup('Choir')
  })

  it('that cannot be opened are told as trouble, and the others are there', async () => {
    await introduce(alice, bob)
    const group = await alice.messenger.createGroup('Choir')
    await alice.close()
    const carrier = office.carrier.bind(office)
    const error = new MainframeError('VALIDATION_FAILED', 'There is no room')
    const listen = () => Promise.reject(error)
    office.carrier = (keyPair) => ({ ...carrier(keyPair), listen })
    await alice.open()
    const told = await alice.until('trouble')
    assert.equal(told.error, error)
    assert.equal(alice.messenger.conversation(group.id), undefined)
    await between(alice, bob).send('still here')
    await bob.hears('still here')
    await alice.store.set(`talk.${group.id}`, Uint8Array.of(0))
    await alice.close()
    await alice.open()
    await alice.until('trouble', ({ error }) => errorCode(error) === 'STORE_CORRUPT')
  })

  it('are not entered by a welcome that nobody waits for', async () => {
    await groupOf(bob)
    const welcome = office.lettersTo(bob).at(-1)
    assert.ok(welcome)
    await office.deliver({ ...welcome, to: carol.keyPair.publicKey })
    assert.deepEqual(carol.messenger.conversations(), [])
  })

  it('drop what others write into them', async () => {
    await introduce(alice, bob)
    await between(alice, bob).send('hello')
    await bob.hears('hello')
    const letter = office.lettersTo(bob).at(-1)
    assert.ok(letter)
    await office.deliver({ ...letter, from: carol.keyPair.publicKey })
    await bob.counts('unexpected')
  })

  it('drop asides of others, and are not stopped by one that fails', async () => {
    await introduce(alice, bob)
    const conversation = between(bob, alice)
    const to = bob.keyPair.publicKey
    const conversationId = conversation.engine.id
    const bytes = encodeLetter({ kind: 'aside', conversationId, bytes: Uint8Array.of(1) })
    await office.deliver({ from: carol.keyPair.publicKey, to, bytes })
    assert.equal(bob.messenger.counts.get('unexpected'), 1)
    await conversation.close()
    await office.deliver({ from: alice.keyPair.publicKey, to, bytes })
    const { error } = await bob.until('trouble')
    assert.equal(errorCode(error), 'NETWORK_CLOSED')
  })

  it('of two go both ways, and say when a message is there', async () => {
    await introduce(alice, bob)
    const { id } = await between(alice, bob).send('hello')
    await bob.hears('hello')
    await between(bob, alice).send('hello yourself')
    await alice.hears('hello yourself')
    const { delivery } = await alice.until('delivery', (event) => {
      return event.id === id && event.delivery.state === 'delivered'
    })
    assert.deepEqual([delivery.to, delivery.of], [1, 1])
    const ours = await texts(alice, between(alice, bob).id)
    assert.deepEqual(ours, ['hello', 'hello yourself'])
    assert.deepEqual(await texts(bob, between(bob, alice).id), ours)
  })

  it('of two go on after both were closed', async () => {
    await introduce(alice, bob)
    await between(alice, bob).send('before')
    await bob.hears('before')
    for (const person of [alice, bob]) {
      await person.close()
      await person.open()
    }
    await between(bob, alice).send('after')
    await alice.hears('after')
    assert.deepEqual(await texts(alice, between(alice, bob).id), ['before', 'after'])
  })

  it('of three take one packet for a message, whoever reads', async () => {
    const group = await groupOf(bob, carol)
    const before = office.published
    await group.send('to all')
    await Promise.all([bob.hears('to all'), carol.hears('to all')])
    assert.ok(office.published > before)
    const { id } = group
    await bob.messenger.conversation(id)?.send('from Bob')
    await Promise.all([alice.hears('from Bob'), carol.hears('from Bob')])
    const all = await Promise.all(people.map((person) => texts(person, id)))
    assert.deepEqual(all[1], all[0])
    assert.deepEqual(all[2], all[0])
  })

  it('end for who is removed, who hears nothing more', async () => {
    const group = await groupOf(bob, carol)
    await group.remove(carol.keyPair.publicKey)
    const { reason } = await carol.until('ended')
    assert.equal(reason, 'removed')
    await group.send('without Carol')
    await bob.hears('without Carol')
    assert.deepEqual(await texts(carol, group.id), [])
  })

  it('take who was invited before a restart', async () => {
    await introduce(alice, bob)
    const group = await alice.messenger.createGroup('Choir')
    await alice.messenger.invite(group, bob.code)
    const { invitation } = await bob.until('invitation')
    await bob.close()
    await bob.open()
    assert.equal(bob.messenger.invitations()[0]?.id, invitation.id)
    await bob.messenger.acceptInvitation(invitation.id)
    await bob.until('conversation', ({ conversation }) => conversation.id === group.id)
    await group.send('welcome')
    await bob.hears('welcome')
    assert.deepEqual(bob.messenger.invitations(), [])
  })

  it('that were invited to can be left alone', async () => {
    await introduce(alice, bob)
    const group = await alice.messenger.createGroup('Choir')
    await alice.messenger.invite(group, bob.code)
    const { invitation } = await bob.until('invitation')
    await bob.messenger.refuseInvitation(invitation.id)
    assert.deepEqual(bob.messenger.invitations(), [])
    await assert.rejects(bob.messenger.acceptInvitation(invitation.id), {
      code: 'VALIDATION_FAILED',
    })
    await bob.close()
    await bob.open()
    assert.deepEqual(bob.messenger.invitations(), [])
    bob.events.length = 0
    await alice.messenger.invite(group, bob.code)
    const again = await bob.until('invitation')
    assert.equal(again.invitation.id, invitation.id)
  })
})
