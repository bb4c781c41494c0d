import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import type { Person } from '@mainframe/localnet'
import { encodeContactCode } from '@mainframe/protocol'
import type { Mainframe } from '@mainframe/sdk'
import { ClientProcess } from './support/client-process.ts'
import { encode, Mailbox } from './support/mailbox.ts'
import { goOnLine, invite, startNetwork, type TestNetwork } from './support/network.ts'
import { within } from './support/waiting.ts'

describe('messages to somebody who is away', () => {
  let network: TestNetwork
  let bobHimself: Person
  let carolHerself: Person
  let daveHimself: Person
  let alice: Mainframe
  before(async () => {
    network = await startNetwork(5)
    const [aliceHerself, ...others] = await invite(network, ['Alice', 'Bob', 'Carol', 'Dave'])
    ;[bobHimself, carolHerself, daveHimself] = others
    alice = await goOnLine(aliceHerself, network)
  })
  after(() => network?.shutdown.stop())

  const codeOf = ({ inbox }: Person) => encodeContactCode(inbox.publicKey)

  it('arrive once each when he returns, short and long ones, also when he had never been there', async () => {
    const bodies = [encode('one'), Uint8Array.from(randomBytes(60_000)), encode('three')]
    const sent = await Promise.all(bodies.map((body) => alice.send(codeOf(bobHimself), body)))
    await within('the entry takes them', Promise.all(sent.map(({ accepted }) => accepted)))

    const bob = await goOnLine(bobHimself, network)
    const mailbox = new Mailbox(bob)
    for (const [i, { messageId, packets }] of sent.entries()) {
      const received = await mailbox.take(messageId)
      assert.deepEqual(received.bytes, bodies[i])
      assert.equal(received.packets, packets)
      assert.equal(received.from, alice.contactCode)
    }
    await within('all are acknowledged', Promise.all(sent.map(({ delivered }) => delivered)))
    await within('everything held is delivered', bob.caughtUp)
    assert.equal(mailbox.messages.length, sent.length)
    await bob.close()
  })

  it('arrive once each when he leaves and returns again', async () => {
    const sent = [await alice.send(codeOf(bobHimself), encode('second absence'))]
    await within('the entry takes it', Promise.all(sent.map(({ accepted }) => accepted)))
    const bob = await goOnLine(bobHimself, network)
    const mailbox = new Mailbox(bob)
    await mailbox.take(sent[0]?.messageId ?? '')
    await within('everything held is delivered', bob.caughtUp)
    const last = await alice.send(codeOf(bobHimself), encode('while he is there'))
    await mailbox.take(last.messageId)
    assert.deepEqual(
      mailbox.ids,
      [sent[0]?.messageId, last.messageId],
      'nothing of before comes again',
    )
    await bob.close()
  })

  it('survive a kill -9 of his client: what he had not taken comes again, what he had does not', async () => {
    const first = await ClientProcess.start(carolHerself, network)
    await first.handle('take')
    const taken = await alice.send(codeOf(carolHerself), encode('taken'))
    await within('the first message is acknowledged', taken.delivered)
    await first.handle('hang')
    const hanging = await alice.send(codeOf(carolHerself), encode('handed over, never finished'))
    await first.gets(hanging.messageId)
    await first.kill()
    const missed = await alice.send(codeOf(carolHerself), Uint8Array.from(randomBytes(10_000)))
    await within('the entry takes it', missed.accepted)

    const second = await ClientProcess.start(carolHerself, network)
    await second.handle('take')
    await second.gets(hanging.messageId)
    await second.gets(missed.messageId)
    await within('both are acknowledged', Promise.all([hanging.delivered, missed.delivered]))
    await second.caughtUp()
    assert.deepEqual(second.received.toSorted(), [hanging.messageId, missed.messageId].toSorted())
    await second.kill()
  })

  it('put together again what had arrived in part before a kill -9', async () => {
    const first = await ClientProcess.start(carolHerself, network)
    const body = Uint8Array.from(randomBytes(60_000))
    const half = Promise.withResolvers<void>()
    const sent = await alice.send(codeOf(carolHerself), body, {
      onProgress: ({ accepted, packets }) => {
        if (accepted >= packets / 2) half.resolve()
      },
    })
    await within('half of the packets have left', half.promise)
    await first.kill()
    const second = await ClientProcess.start(carolHerself, network)
    await second.handle('take')
    await within('the message is acknowledged', sent.delivered)
    await second.caughtUp()
    assert.deepEqual(second.received, [sent.messageId])
    await second.kill()
  })

  it('are paid for from what was signed before a kill -9 of the sender', async () => {
    const bob = await goOnLine(bobHimself, network)
    const mailbox = new Mailbox(bob)
    const first = await ClientProcess.start(daveHimself, network)
    const one = await first.send(bob.contactCode, 'before the kill', 'delivered')
    await mailbox.take(one)
    const [before, ...more] = await first.spending()
    assert.ok(before && more.length === 0, 'he pays one relay')
    const two = await first.send(bob.contactCode, 'on its way at the kill', 'accepted')
    await first.kill()

    const second = await ClientProcess.start(daveHimself, network)
    const [recorded] = await second.spending()
    assert.ok(recorded && recorded.signedBase >= before.signedBase, 'what he signed is recorded')
    const three = await second.send(bob.contactCode, 'after the kill', 'delivered')
    await mailbox.take(three)
    const [now, ...others] = await second.spending()
    assert.ok(now && others.length === 0, 'he still pays the same relay only')
    assert.equal(now.channelId, before.channelId)
    assert.equal(now.depositBase, before.depositBase, 'without another deposit')
    assert.ok(now.signedBase > recorded.signedBase, 'amounts go on from where they were')
    await mailbox.take(two)
    assert.deepEqual(mailbox.ids.toSorted(), [one, two, three].toSorted())
    await second.kill()
    await bob.close()
  })
})
