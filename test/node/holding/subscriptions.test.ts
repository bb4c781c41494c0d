import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import {
  CAUGHT_UP_FLAG,
  decodeFrame,
  encodeFrame,
  type FrameFields,
  headerOf,
} from '@mainframe/protocol'
import { HoldStore } from '../../../node/src/holding/hold-store.ts'
import {
  type DeliveryWriter,
  Subscription,
  Subscriptions,
} from '../../../node/src/holding/subscriptions.ts'
import { inboxPacket, NOW_MS } from '../support/rule-world.ts'

/** A peer that reads only when told to. */
class SlowPeer implements DeliveryWriter {
  readonly received: string[] = []
  #unread: string[] = []
  #idle: PromiseWithResolvers<void> | undefined
  most = 0

  get waiting(): number {
    return this.#unread.length
  }

  write(fields: FrameFields): void {
    const frame = decodeFrame(encodeFrame(fields))
    assert.ok(frame?.type === 'deliver')
    this.#unread.push(`${frame.flags & CAUGHT_UP_FLAG ? 'end ' : ''}${frame.sequence}`)
    this.most = Math.max(this.most, this.#unread.length)
  }

  async idle(): Promise<void> {
    if (this.#unread.length === 0) return
    this.#idle ??= Promise.withResolvers()
    await this.#idle.promise
  }

  read(): void {
    this.received.push(...this.#unread.splice(0))
    this.#idle?.resolve()
    this.#idle = undefined
  }
}

const settle = () => new Promise((resolve) => setTimeout(resolve, 30))

describe('Subscriptions', () => {
  let folder = ''
  let holds: HoldStore

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-subscriptions-'))
    holds = await HoldStore.open({ folder, quotaBytes: 1e9, now: () => NOW_MS })
  })
  afterEach(async () => {
    await holds.close()
    await rm(folder, { recursive: true })
  })

  async function hold(...disclosed: string[]): Promise<void> {
    for (const bits of disclosed) {
      const packet = inboxPacket(bits)
      const header = headerOf(packet)
      assert.ok(header !== 'malformed')
      holds.append(packet, header)
    }
    await holds.flush()
  }

  function subscribe(cursor = 0, limit = 5) {
    const subscriptions = new Subscriptions({ holds, limit })
    const peer = new SlowPeer()
    const onFailure = (error: Error) => assert.fail(error)
    const wish = { bits: 1, prefix: new Uint8Array(32), cursor }
    const subscription = subscriptions.add({ wish, writer: peer, onFailure })
    return { subscriptions, subscription, peer }
  }

  it('admits no more than its limit', () => {
    const { subscriptions, peer } = subscribe(0, 1)
    const wish = { bits: 0, prefix: new Uint8Array(32), cursor: 0 }
    assert.equal(subscriptions.add({ wish, writer: peer, onFailure: () => {} }), undefined)
  })

  it('delivers what matches, says when that was all, then delivers live', async () => {
    await hold('0', '1', '', '1')
    const { peer } = subscribe()
    await settle()
    await hold('1', '0')
    await settle()
    peer.read()
    assert.deepEqual(peer.received, ['1', '3', 'end 4', '6'])
  })

  it('resumes after a cursor', async () => {
    await hold('', '', '')
    const { peer } = subscribe(2)
    await settle()
    peer.read()
    assert.deepEqual(peer.received, ['3', 'end 3'])
  })

  it('starts over for a cursor that this store cannot have given', async () => {
    await hold('')
    const { peer } = subscribe(9_999)
    await settle()
    peer.read()
    assert.deepEqual(peer.received, ['1', 'end 1'])
  })

  it('says at once that nothing is held', async () => {
    const { peer } = subscribe()
    await settle()
    peer.read()
    assert.deepEqual(peer.received, ['end 0'])
  })

  it('queues nothing in memory for a peer that does not read', async () => {
    await hold(...Array.from({ length: 200 }, () => ''))
    const { peer } = subscribe()
    for (let i = 0; i < 20; i++) {
      await settle()
      peer.read()
    }
    assert.ok(peer.most <= 32, `${peer.most} frames waited`)
    assert.equal(peer.received.length, 201)
    assert.equal(peer.received.at(-1), 'end 200')
  })

  it('queues nothing in memory for a peer that replaces its wish again and again unread', async () => {
    const { subscription, peer } = subscribe()
    for (let i = 0; i < 200; i++) {
      subscription?.replace({ bits: 1, prefix: new Uint8Array(32), cursor: 0 })
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.ok(peer.most <= 32, `${peer.most} frames waited`)
    await settle()
    peer.read()
    await settle()
    peer.read()
    assert.equal(peer.received.at(-1), 'end 0', 'the last wish is answered')
  })

  it('delivers nothing more after it was removed', async () => {
    const { subscriptions, subscription, peer } = subscribe()
    assert.ok(subscription)
    subscriptions.remove(subscription)
    await hold('')
    await settle()
    assert.equal(subscriptions.count, 0)
    assert.ok(peer.waiting <= 1)
  })
})

describe('A subscription that is told of packets while it ends its look', () => {
  it('looks again, at whatever moment it is told', async () => {
    for (let delay = 0; delay < 12; delay++) {
      let held = 0
      const packet = inboxPacket('')
      const holds = {
        highestCursor: 0,
        next: async (_: unknown, cursor: number) =>
          cursor < held ? { packet, cursor: held, more: true } : { cursor, more: false },
      }
      const wish = { bits: 0, prefix: new Uint8Array(32), cursor: 0 }
      const writer = new SlowPeer()
      const onFailure = (error: unknown) => assert.fail(String(error))
      const subscription = new Subscription({ holds, writer, wish, onFailure })
      for (let turns = 0; turns < delay; turns++) await Promise.resolve()
      held = 1
      subscription.pump()
      await settle()
      writer.read()
      assert.ok(writer.received.includes('1'), `told after ${delay} microtasks`)
    }
  })
})
