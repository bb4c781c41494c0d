import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it, mock } from 'node:test'
import {
  createKeyPair,
  type KeyPair,
  PACKET_BYTES,
  type PacketHeader,
  packetId,
} from '@mainframe/protocol'
import { createView, type OverlayRelay } from '../../../node/src/routing/overlay.ts'
import { type Dispatch, type PacketLink, Router } from '../../../node/src/routing/router.ts'
import { SeenMemory } from '../../../node/src/routing/seen.ts'
import {
  account,
  forwardOf,
  HOLD_FEE,
  inboxPacket,
  linkTo,
  NOW_MS,
  namedPacket,
  PRICES,
  relay,
} from '../support/rule-world.ts'

/** A link that takes down what it is given. */
class FakeLink implements PacketLink {
  readonly relay: OverlayRelay
  readonly prices = linkTo(relay('')).prices
  readonly shipped: Dispatch[] = []
  works = true

  constructor(target: OverlayRelay) {
    this.relay = target
  }

  canTake(): boolean {
    return this.works
  }

  ship(dispatch: Dispatch): boolean {
    if (this.works) this.shipped.push(dispatch)
    return this.works
  }
}

const RICH = 100 * HOLD_FEE

describe('The router', () => {
  let sealKey: KeyPair
  let held: { packet: Uint8Array; header: PacketHeader }[] = []
  let flushes = 0
  let routers: Router[] = []

  beforeEach(() => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: NOW_MS })
    sealKey = createKeyPair()
    held = []
    flushes = 0
  })
  afterEach(() => {
    for (const router of routers) router.stop()
    routers = []
    mock.timers.reset()
  })

  function create(
    selfBits: string,
    others: readonly OverlayRelay[],
    { luminosity = 0, delayed = 10, owed = 10 } = {},
  ) {
    const links = new Map(others.map((other) => [other.peerKey, new FakeLink(other)]))
    const self = relay(selfBits).address
    const router = new Router({
      view: () => createView(self, luminosity, others),
      prices: () => linkTo(relay('')).prices,
      links: () => links,
      holds: {
        hasRoom: true,
        append: (packet, header) => held.push({ packet, header }),
        flush: async () => {
          flushes += 1
        },
      },
      sealKeys: [sealKey],
      memory: {
        seen: new SeenMemory({ capacity: 1_000, keyBytes: 16 }),
        acted: new SeenMemory({ capacity: 1_000, keyBytes: 32 }),
        forgottenUntilMinutes: 0,
      },
      limits: { delayed, owed },
      onFailure: (error) => assert.fail(String(error)),
    })
    routers.push(router)
    const link = (bits: string) => {
      const found = links.get(bits)
      assert.ok(found)
      return found
    }
    const receive = (packet: Uint8Array, postageUnits = RICH) =>
      router.receive({ packet, postageUnits, level: 0, account: account() })
    return { router, links, link, receive, self }
  }

  function forward(
    self: Uint8Array,
    { delayMs = 0, postageUnits = RICH / 2, innerBits = '' } = {},
  ) {
    const instruction = forwardOf(postageUnits, delayMs, innerBits)
    return namedPacket({ address: self, sealKey: sealKey.publicKey, instruction })
  }

  it('is busy before it knows where it is, and after it was stopped', () => {
    const { router, receive } = create('0', [])
    router.stop()
    assert.equal(receive(inboxPacket('')), 'busy')
    assert.equal(router.outcomes.busy, 1)
  })

  it('counts every packet under one outcome', () => {
    const { router, receive } = create('0', [])
    const packet = inboxPacket('')
    receive(packet)
    receive(packet)
    receive(new Uint8Array(3))
    receive(inboxPacket(''), 1)
    const { held: taken, seen, malformed, underpaid } = router.outcomes
    assert.deepEqual([taken, seen, malformed, underpaid], [1, 1, 1, 1])
    assert.equal(
      Object.values(router.outcomes).reduce((sum, n) => sum + n),
      4,
    )
    assert.equal(router.debitedUnits, RICH + PRICES.routeUnits)
  })

  describe('forwarding', () => {
    it('injects the inner packet after its delay, padded anew, and makes its hold durable', () => {
      const { router, receive, self, link } = create('0', [relay('1')])
      assert.equal(receive(forward(self, { delayMs: 2_000 })), 'named')
      assert.equal(router.delayedCount, 1)
      mock.timers.tick(1_999)
      assert.equal(held.length, 0)
      mock.timers.tick(1)
      assert.equal(held.length, 1)
      assert.equal(flushes, 1)
      assert.equal(held[0]?.packet.length, PACKET_BYTES)
      const [copy] = link('1').shipped
      assert.ok(copy)
      assert.deepEqual(packetId(copy.packet), packetId(held[0]?.packet ?? copy.packet))
      assert.equal(copy.level, 256)
    })

    it('shows nothing of it in the outcomes that are live', () => {
      const { router, receive, self } = create('0', [])
      receive(forward(self))
      mock.timers.tick(1)
      assert.deepEqual([router.outcomes.named, router.outcomes.held], [1, 0])
      assert.equal(router.opened.forward, 1)
    })

    it('drops in silence what finds no room in the delay queue, or no way on', () => {
      const others = [relay('1')]
      const { router, receive, self } = create('0', others, { delayed: 1 })
      assert.equal(receive(forward(self, { delayMs: 1_000 })), 'named')
      assert.equal(receive(forward(self, { delayMs: 1_000 })), 'named')
      assert.equal(router.opened.crowded, 1)
      const poor = create('0', others)
      assert.equal(poor.receive(forward(poor.self, { postageUnits: 1, delayMs: 1 })), 'named')
      mock.timers.tick(1)
      assert.equal(poor.router.opened.lost, 1)
    })
  })

  it('keeps what it opened and finds no way for among the delayed, which are not shown at once', () => {
    const { router, receive, self, link } = create('0', [relay('1')])
    link('1').works = false
    assert.equal(receive(forward(self, { delayMs: 1, innerBits: '1' })), 'named')
    mock.timers.tick(1)
    assert.deepEqual([router.delayedCount, router.owedCount, router.opened.lost], [1, 0, 0])
    link('1').works = true
    mock.timers.tick(1_000)
    assert.equal(link('1').shipped.length, 1)
    assert.equal(router.delayedCount, 0)
  })

  describe('a packet on its way', () => {
    const others = ['10', '11'].map((bits) => relay(bits))

    function transit() {
      const made = create('0', others, { luminosity: 1 })
      assert.equal(made.receive(inboxPacket('1')), 'forwarded')
      const [first, second] = [made.link('10'), made.link('11')].sort(
        (a, b) => b.shipped.length - a.shipped.length,
      )
      const dispatch = first?.shipped[0]
      assert.ok(first && second && dispatch)
      return { ...made, first, second, dispatch }
    }

    it('tries the other peer at once when it was refused as busy, with the same postage, then waits', () => {
      const { router, first, second, dispatch } = transit()
      router.onRefused(dispatch, first.relay.peerKey, 'busy')
      const [again] = second.shipped
      assert.equal(again?.postageUnits, dispatch.postageUnits)
      assert.ok(again)
      router.onRefused(again, second.relay.peerKey, 'busy')
      assert.equal(first.shipped.length, 1)
      assert.equal(router.owedCount, 1)
      assert.equal(router.undeliverable, 0)
    })

    it('is tried again with growing pauses until it expires', () => {
      const { router, first, second, dispatch } = transit()
      const shipped = () => first.shipped.length + second.shipped.length
      let [last, peer] = [dispatch, first]
      const pausesMs: number[] = []
      while (router.undeliverable === 0) {
        const before = shipped()
        router.onRefused(last, peer.relay.peerKey, 'busy')
        let pauseMs = 0
        while (shipped() === before && router.undeliverable === 0) {
          mock.timers.tick(1_000)
          pauseMs += 1_000
        }
        pausesMs.push(pauseMs)
        for (const link of [first, second]) {
          const newest = link.shipped.at(-1)
          if (newest?.errand.kind !== 'transit' || last.errand.kind !== 'transit') continue
          if (newest.errand.attempts > last.errand.attempts) [last, peer] = [newest, link]
        }
      }
      assert.equal(pausesMs[0], 0)
      const longestMs = Math.max(...pausesMs)
      assert.ok(longestMs > 20_000 && longestMs <= 61_000, `${longestMs}`)
      assert.equal(router.owedCount, 0)
    })

    it('goes to one other peer only when links die: it may be paid for twice, but not more', () => {
      const { router, first, second, dispatch } = transit()
      router.onLost([dispatch], first.relay.peerKey)
      const [again] = second.shipped
      assert.ok(again)
      router.onLost([again], second.relay.peerKey)
      assert.equal(first.shipped.length, 1)
      assert.equal(router.undeliverable, 1)
    })

    it('tries one other peer when the link died before it was acknowledged', () => {
      const { router, links, first, second, dispatch } = transit()
      links.delete(first.relay.peerKey)
      router.onLost([dispatch], first.relay.peerKey)
      assert.equal(second.shipped.length, 1)
    })

    it('is given up when the refusal is no matter of time or peer', () => {
      const { router, first, second, dispatch } = transit()
      router.onRefused(dispatch, first.relay.peerKey, 'expired')
      assert.equal(second.shipped.length, 0)
      assert.equal(router.undeliverable, 1)
    })
  })

  describe('a copy that is owed', () => {
    it('waits for an absent neighbour and goes as soon as its link works', () => {
      const { router, receive, link } = create('0', [relay('1'), relay('01')])
      link('1').works = false
      receive(inboxPacket(''))
      assert.equal(link('01').shipped.length, 1)
      assert.equal(router.owedCount, 1)
      link('1').works = true
      router.onLinkUp('1')
      assert.equal(link('1').shipped.length, 1)
      assert.equal(router.owedCount, 0)
    })

    it('is retried after a refusal or a lost link, with growing pauses, until the packet expires', () => {
      const { router, receive, link } = create('0', [relay('1')])
      receive(inboxPacket(''))
      const peer = link('1')
      let pauses = 0
      for (let refused = 0; refused < 4; refused++) {
        const dispatch = peer.shipped.pop()
        assert.ok(dispatch)
        if (refused % 2) router.onLost([dispatch], '1')
        else router.onRefused(dispatch, '1', 'busy')
        while (peer.shipped.length === 0) {
          mock.timers.tick(500)
          pauses += 1
        }
      }
      // 0.5 to 1, 1 to 2, 2 to 4 and 4 to 8 seconds
      assert.ok(pauses >= 15 && pauses <= 34, `${pauses} half seconds`)
      const last = peer.shipped.pop()
      assert.ok(last)
      peer.works = false
      router.onRefused(last, '1', 'no-credit')
      mock.timers.tick(2 * 3_600_000)
      assert.equal(router.owedCount, 0)
      assert.equal(router.undeliverable, 1)
    })

    it('goes to another peer of the bin when one fails', () => {
      const bin = [relay('10'), relay('11')]
      const { router, receive, link } = create('0', bin, { luminosity: 1 })
      receive(inboxPacket(''))
      const [taken, other] = [link('10'), link('11')].sort(
        (a, b) => b.shipped.length - a.shipped.length,
      )
      const dispatch = taken?.shipped[0]
      assert.ok(taken && other && dispatch)
      assert.equal(dispatch.level, 1)
      router.onRefused(dispatch, taken.relay.peerKey, 'full')
      mock.timers.tick(1_500)
      assert.equal(other.shipped.length, 1)
      assert.equal(taken.shipped.length, 1)
    })

    it('is given up when everybody that it is for has left the network', () => {
      const others = [relay('1')]
      const { router, receive, link } = create('0', others)
      link('1').works = false
      receive(inboxPacket(''))
      assert.equal(router.owedCount, 1)
      others.pop()
      mock.timers.tick(1_500)
      assert.deepEqual([router.owedCount, router.undeliverable], [0, 1])
    })

    it('is dropped and counted when too many wait', () => {
      const others = ['1', '01', '001'].map((bits) => relay(bits))
      const { router, receive, links } = create('000', others, { owed: 2 })
      for (const peer of links.values()) peer.works = false
      receive(inboxPacket(''))
      assert.equal(router.owedCount, 2)
      assert.equal(router.undeliverable, 1)
    })
  })
})
