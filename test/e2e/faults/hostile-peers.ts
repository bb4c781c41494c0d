import assert from 'node:assert/strict'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetchStatus } from '@mainframe/localnet'
import { encodeFrame, encodeHello, FRAME_BYTES, fromHex, LINK_VERSION } from '@mainframe/protocol'
import { RawPayer } from '../../node/support/payee-world.ts'
import { inboxPacket } from '../../node/support/rule-world.ts'
import { readMetric } from '../support/metrics.ts'
import type { TestNetwork } from '../support/network.ts'
import { assertOnceEach, exchange } from '../support/party.ts'
import { knock, meet } from '../support/stranger.ts'
import { until, within } from '../support/waiting.ts'
import { floodWithWishes } from '../support/wish-flood.ts'
import { at, bring, count, type FaultWorld, MOST_SUBSCRIPTIONS } from './world.ts'

/** Bytes that a slow peer sends at a time, and the pause between. */
const PIECE_BYTES = 40
const PAUSE_MS = 5
const SILENT_LINKS = 4
const FLOOD = { links: 80, durationMs: 5_000 }
/** Links and their buffers, and what V8 lets lie; what grew with the wishes would be far more. */
const MEMORY_BYTES = 150e6
const MIB = 2 ** 20

export function describeHostilePeers(theWorld: () => FaultWorld): void {
  describe('with peers that keep to no rule', () => {
    it('serves one that sends its frames slowly', async () => {
      const { network, relay } = theWorld()
      const stream = await knock(relay('crowded'), network)
      const slow = new RawPayer(stream)
      const packet = encodeFrame({ type: 'packet', sequence: 1, body: inboxPacket('') })
      for (const frame of [helloOf(network), packet]) {
        for (let i = 0; i < FRAME_BYTES; i += PIECE_BYTES) {
          stream.send(frame.slice(i, i + PIECE_BYTES))
          await sleep(PAUSE_MS)
        }
      }
      const { refused } = await within(
        'it is answered',
        slow.ack((ack) => ack.processed === 1),
      )
      assert.equal(refused.length, 1, 'the packet was read, and not paid for')
      slow.abort()
    })

    it('ends and counts links of half frames, of frames of another size, and of silence', async () => {
      const world = theWorld()
      const { network } = world
      const relay = world.relay('crowded')
      const silent = await Promise.all(
        Array.from({ length: SILENT_LINKS }, () => knock(relay, network)),
      )
      const late = at(silent, 0)
      late.send(helloOf(network).slice(0, FRAME_BYTES / 2)) // half a HELLO, then nothing
      const fault = (name: string) => count([relay], ({ linkFaults }) => linkFaults[name])
      const before = { odd: await fault('undecodable'), late: await fault('handshake-timeout') }

      const half = await knock(relay, network)
      half.send(helloOf(network))
      half.send(helloOf(network).slice(0, FRAME_BYTES / 2))
      await half.close()
      for (const bytes of [FRAME_BYTES - 1, FRAME_BYTES + 1]) {
        const odd = await meet(relay, network)
        const frame = new Uint8Array(bytes)
        frame.set(encodeFrame({ type: 'subscribe' }).subarray(0, bytes))
        for (let i = 0; i < 3; i++) odd.raw(frame)
        await within('the relay ends the link', odd.ended)
      }
      await until(
        'the odd ones are counted',
        async () => (await fault('undecodable')) === before.odd + 3,
      )
      await until(
        'the silent ones are counted',
        async () => (await fault('handshake-timeout')) >= before.late + SILENT_LINKS,
      )
    })

    it('answers others and grows no memory under subscriptions without end', async (t) => {
      const world = theWorld()
      const { network } = world
      const relay = world.relay('crowded')
      const [first, second] = world.sound
      assert.ok(first && second)
      const alice = await bring(world, { entry: relay, subscriptions: [first, second] })
      const bob = await bring(world, { entry: second, subscriptions: [relay, first] })
      await within('the first messages arrive', exchange(alice, bob, 'before'))

      const memory = () => readMetric(relay, 'process_resident_memory_bytes')
      const before = await memory()
      const flood = floodWithWishes(relay, network, FLOOD)
      let isOver = false
      const over = flood.finally(() => {
        isOver = true
      })
      let [most, exchanged] = [before, 0]
      while (!isOver) {
        await within('messages arrive meanwhile', exchange(alice, bob, `message ${exchanged}`))
        exchanged += 1
        most = Math.max(most, await memory())
        const { links } = await fetchStatus(relay)
        assert.ok(links.subscriptions <= MOST_SUBSCRIPTIONS)
      }
      const { wishes, ended } = await over
      tell(t, { wishes, ended, exchanged, grownMiB: (most - before) / MIB })
      assert.ok(wishes > FLOOD.links && exchanged > 0)
      assert.ok(ended >= FLOOD.links - MOST_SUBSCRIPTIONS)
      const refused = await count([relay], ({ linkFaults }) => linkFaults['too-many-subscriptions'])
      assert.ok(refused >= FLOOD.links - MOST_SUBSCRIPTIONS, 'the others are counted')
      assert.ok(most - before < MEMORY_BYTES, `${(most - before) / MIB} MiB more`)
      assertOnceEach(alice, bob)
      assertOnceEach(bob, alice)
      await Promise.all([alice.client.close(), bob.client.close()])
      await until('its places are free again', async () => {
        const { links } = await fetchStatus(relay)
        return links.subscriptions < MOST_SUBSCRIPTIONS / 2
      })
    })
  })
}

function helloOf({ chain }: TestNetwork): Uint8Array {
  const { chainId, channels } = chain.deployment
  const hello = { version: LINK_VERSION, chainId, channels: fromHex(channels, 20) }
  const body = encodeHello({ ...hello, signedQuote: new Uint8Array(0) })
  return encodeFrame({ type: 'hello', body })
}

function tell(t: TestContext, figures: Record<string, number>): void {
  t.diagnostic(JSON.stringify(figures))
}
