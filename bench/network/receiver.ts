/** Subscribes at two relays, opens what is for its inbox, and counts each message once. */
import {
  createKeyPair,
  decodeInstruction,
  openPacket,
  packetEnc,
  viewOf,
} from '@mainframe/protocol'
import { TestClient } from '../../test/node/support/network.ts'
import { onNote, settingsOf, tellBench } from '../world/child.ts'
import type { AccountSettings } from '../world/network.ts'
import { preciseNowMs } from '../world/statistics.ts'

export interface ReceiverSettings extends AccountSettings {
  relayKeys: readonly Uint8Array[]
  inboxSecret: Uint8Array
}

/** How often the sender hears how much has come. */
const REPORT_MS = 5

const { chain, account, relayKeys, inboxSecret } = await settingsOf<ReceiverSettings>()
const inbox = createKeyPair(inboxSecret)
const client = await TestClient.create(chain, account)
/** Encapsulated keys that were looked at: both relays deliver everything. */
const looked = new Set<string>()
let latenciesMs = new Map<number, number>()
let deliveries = 0
let lastMs = 0

for (const nodeKey of relayKeys) {
  const { link } = await client.link({ keys: { nodeKey } }, { onDeliver: receive })
  link.subscribe({ bits: 0, prefix: new Uint8Array(32), cursor: 0 })
}
onNote('take', () => {
  tellBench('taken', { latenciesMs: [...latenciesMs.values()], deliveries, lastMs })
  ;[latenciesMs, deliveries] = [new Map(), 0]
})
let reported = 0
setInterval(() => {
  if (latenciesMs.size !== reported) tellBench('delivered', { count: latenciesMs.size })
  reported = latenciesMs.size
}, REPORT_MS)
tellBench('ready')

function receive(packet: Uint8Array): void {
  deliveries += 1
  const enc = Buffer.from(packetEnc(packet)).toString('latin1')
  if (looked.has(enc)) return
  looked.add(enc)
  const content = openPacket(packet, inbox)
  const found = typeof content === 'string' ? undefined : decodeInstruction(content)
  if (found?.kind !== 'message') return
  const view = viewOf(found.payload)
  lastMs = preciseNowMs()
  latenciesMs.set(view.getUint32(0), lastMs - view.getFloat64(4))
}
