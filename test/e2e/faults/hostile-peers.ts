import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fetchStatus } from '@mainframe/localnet'
import { encodeFrame, encodeHello, FRAME_BYTES, fromHex, LINK_VERSION } from '@mainframe/protocol'
import { RawPayer } from '../../node/support/payee-world.ts'
import { inboxPacket } from '../../node/support/rule-world.ts'
import { readMetric } from '../support/metrics.ts'
import type { TestNetwork } from '../support/network.ts'
import { exchange } from '../support/party.ts'
import { knock, meet } from '../support/stranger.ts'
import { until, within } from '../support/waiting.ts'
import { floodWithWishes } from '../support/wish-flood.ts'
import { at, count, type FaultWorld, MOST_SUBSCRIPTIONS } from './world.ts'

/** Bytes that a slow peer sends at a time, and the pause between. */
const PIECE_BYTES = 40
const PAUSE_MS = 5
const SILENT_LINKS = 4
const FLOOD = { links: 80, durationMs: 4_000 }
/** Links and their buffers, and what V8 lets lie; what grew with the wishes would be far more. */
const MOST_GROWN_MIB = 150
const MIB = 2 ** 20

export function describeHostilePeers(theWorld: () => FaultWorld): void {
  describe('with peers that keep to no rule', () => {
    before(async () => {
      const { network, relay } = theWorld()
      const silent = Array.from({ length: SILENT_LINKS }, () => knock(relay('crowded'), network))
      const late = at(await Promise.all(silent), 0)
      late.send(helloOf(network).slice(0, FRAME_BYTES / 2)) // half a HELLO, then nothing
    })

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
      const answer = slow.ack(({ processed }) => processed === 1)
      const { refused } = await within('it is answered', answer)
      assert.equal(refused.length, 1, 'the packet was read, and not paid for')
      slow.abort()
    })

    it('ends and counts links of half frames and of frames of another size', async () => {
      const { network, relay } = theWorld()
      const met = relay('crowded')
      const fault = (name: string) => count([met], ({ linkFaults }) => linkFaults[name])
      const before = await fault('undecodable')
      const half = await knock(met, network)
      half.send(helloOf(network))
      half.send(helloOf(network).slice(0, FRAME_BYTES / 2))
      await half.close()
      for (const bytes of [FRAME_BYTES - 1, FRAME_BYTES + 1]) {
        const odd = await meet(met, network)
        const frame = new Uint8Array(bytes)
        frame.set(encodeFrame({ type: 'subscribe' }).subarray(0, bytes))
        for (let i = 0; i < 3; i++) odd.raw(frame)
        await within('the relay ends the link', odd.ended)
      }
      await until('they are counted', async () => (await fault('undecodable')) === before + 3)
    })

    it('answers others and grows no memory under subscriptions without end', async (t) => {
      const { network, alice, bob, relay } = theWorld()
      const flooded = relay('crowded')
      const flood = floodWithWishes(flooded, network, FLOOD)
      let isOver = false
      const over = flood.finally(() => {
        isOver = true
      })
      const memory = () => readMetric(flooded, 'process_resident_memory_bytes')
      const atFirst = await memory()
      let [most, exchanged] = [atFirst, 0]
      while (!isOver) {
        await within('messages arrive meanwhile', exchange(alice, bob, `message ${exchanged}`))
        exchanged += 1
        most = Math.max(most, await memory())
        const { links } = await fetchStatus(flooded)
        assert.ok(links.subscriptions <= MOST_SUBSCRIPTIONS)
      }
      const { wishes, ended } = await over
      const grownMiB = Math.round((most - atFirst) / MIB)
      t.diagnostic(`${wishes} wishes, ${exchanged} messages each way, ${grownMiB} MiB more`)
      const tooMany = FLOOD.links - MOST_SUBSCRIPTIONS
      assert.ok(ended >= tooMany && ended < FLOOD.links, `${ended} links were ended`)
      const faults = await count(
        [flooded],
        ({ linkFaults }) => linkFaults['too-many-subscriptions'],
      )
      assert.ok(faults >= tooMany, 'which are counted')
      assert.ok(grownMiB < MOST_GROWN_MIB, `${grownMiB} MiB`)
      await until('its places are free again', async () => {
        const { links } = await fetchStatus(flooded)
        return links.subscriptions < MOST_SUBSCRIPTIONS / 2
      })
    })

    it('ends and counts links on which nobody says HELLO', async () => {
      const met = theWorld().relay('crowded')
      const late = () => count([met], ({ linkFaults }) => linkFaults['handshake-timeout'])
      await until('the silent ones are counted', async () => (await late()) >= SILENT_LINKS)
    })
  })
}

function helloOf({ chain }: TestNetwork): Uint8Array {
  const { chainId, channels } = chain.deployment
  const hello = { version: LINK_VERSION, chainId, channels: fromHex(channels, 20) }
  const body = encodeHello({ ...hello, signedQuotes: [] })
  return encodeFrame({ type: 'hello', body })
}
