/** Sends packets over a paid link, as fast as the relay takes them or at a given rate. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { PayerLinkHandlers, Shipment } from '@mainframe/protocol'
import { TestClient } from '../../test/node/support/network.ts'
import { onNote, settingsOf, tellBench } from '../world/child.ts'
import type { AccountSettings } from '../world/network.ts'
import { preciseNowMs } from '../world/statistics.ts'
import { forwardPacket, transitPacket } from './packets.ts'

/** What is sent: to the sink over the relay, by a FORWARD for the relay, or to the sink directly. */
export type Kind = 'forward' | 'unwrap' | 'direct'

/** A batch of packets of one kind; without a rate, as fast as it goes. */
export interface Batch {
  kind: Kind
  count: number
  perSecond?: number
  /** The most that are on their way to the relay at a time; as many as the link takes unless given. */
  underWay?: number
}

interface SourceSettings extends AccountSettings {
  relayKey: Uint8Array
  sinkKey: Uint8Array
}

const { chain, account, relayKey, sinkKey } = await settingsOf<SourceSettings>()
const client = await TestClient.create(chain, account)
const stops = {
  relay: client.entry({ keys: { nodeKey: relayKey } }),
  sink: client.entry({ keys: { nodeKey: sinkKey } }),
}
/** A numbered packet on its way. */
interface Numbered extends Shipment {
  index: number
}

let accepted = 0
let refusals = 0
const reasons: Record<string, number> = {}
/** What is still to be sent, the next one last; what the relay was too busy for comes back. */
let waiting: Numbered[] = []
const handlers: PayerLinkHandlers<Numbered> = {
  onAccepted: () => {
    accepted += 1
  },
  onRefused: (shipment, reason) => {
    refusals += 1
    reasons[reason] = (reasons[reason] ?? 0) + 1
    waiting.push(shipment)
  },
  onClosed: () => {
    throw new Error('The relay ended the link')
  },
}
const links = {
  relay: await client.paidLink({ keys: { nodeKey: relayKey } }, handlers),
  sink: await client.paidLink({ keys: { nodeKey: sinkKey } }, handlers),
}
/** Enough for each fee on the way (at most 1,040 here) and what rounding takes. */
const POSTAGE = { forward: 2_400, unwrap: 3_600, direct: 1_200 }
/** What the relay opens it treats as if it had just come, for a fee again. */
const INNER_POSTAGE = POSTAGE.forward

const LONGEST_RUN_MS = 60_000

onNote('run', (note) => void run(note['batch'] as Batch))
tellBench('ready')

async function run({ kind, count, perSecond, underWay = count }: Batch): Promise<void> {
  ;[accepted, refusals] = [0, 0]
  waiting = Array.from({ length: count }, (_, i) => numbered(kind, count - 1 - i))
  const link = kind === 'direct' ? links.sink : links.relay
  const departures: number[] = []
  const start = preciseNowMs()
  while (accepted < count) {
    if (preciseNowMs() > start + LONGEST_RUN_MS) {
      throw new Error(
        `${accepted} of ${count} were taken, ${refusals} refused: ${JSON.stringify(reasons)}`,
      )
    }
    const next = waiting.at(-1)
    if (next && perSecond) await until(start + (next.index * 1_000) / perSecond)
    const { queued, unacknowledged } = link.backlog
    if (next && queued + unacknowledged < underWay && link.enqueue(next)) {
      waiting.pop()
      departures[next.index] = preciseNowMs()
    } else await sleep(1) // the processor is needed elsewhere
  }
  tellBench('sent', { departures, refusals })
}

function numbered(kind: Kind, index: number): Numbered {
  const packet =
    kind === 'unwrap'
      ? forwardPacket(stops.relay, stops.sink, index, INNER_POSTAGE)
      : transitPacket(stops.sink, index)
  return { packet, postageUnits: POSTAGE[kind], level: 0, index }
}

/** In steps of a timer: spinning would take the processor from what is measured. */
async function until(atMs: number): Promise<void> {
  while (preciseNowMs() < atMs) await sleep(1)
}
