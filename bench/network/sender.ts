/** Sends numbered 200-byte MESSAGEs through FORWARDs, at a rate or with so many on their way. */
import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  buildOnion,
  inboxAddress,
  minutesNow,
  type PayerLink,
  roundUpExpiry,
  viewOf,
} from '@mainframe/protocol'
import { TestClient } from '../../test/node/support/network.ts'
import { onNote, settingsOf, tellBench } from '../world/child.ts'
import type { AccountSettings } from '../world/network.ts'
import { preciseNowMs } from '../world/statistics.ts'

/** A series of messages: at a rate, or as fast as it goes with at most so many on their way. */
export interface Series {
  count: number
  hops: number
  perSecond?: number
  underWay?: number
}

export interface SenderSettings extends AccountSettings {
  entryKey: Uint8Array
  /** Node keys of the relays that hops are chosen from. */
  hopKeys: readonly Uint8Array[]
  inboxKey: Uint8Array
}

/** As many bytes as a short message has. */
const MESSAGE_BYTES = 200
const HOLD_MINUTES = 60

const { chain, account, entryKey, hopKeys, inboxKey } = await settingsOf<SenderSettings>()
const client = await TestClient.create(chain, account)
const relays = hopKeys.map((nodeKey) => client.entry({ keys: { nodeKey } }))
const postage = client.postage()['1h']
let link: PayerLink | undefined
let delivered = 0

link = await client.paidLink(
  { keys: { nodeKey: entryKey } },
  {
    onClosed: () => {
      throw new Error('The entry relay ended the link')
    },
  },
)
onNote('delivered', (note) => {
  delivered = Number(note['count'])
})
onNote('send', (note) => void send(note['series'] as Series))
tellBench('ready')

async function send({ count, hops, perSecond, underWay }: Series): Promise<void> {
  delivered = 0
  const start = preciseNowMs()
  for (let index = 0; index < count; ) {
    const isFull = underWay !== undefined && index - delivered >= underWay
    const waitMs = perSecond ? start + (index * 1_000) / perSecond - preciseNowMs() : 0
    if (isFull || waitMs > 0) await sleep(Math.max(1, waitMs))
    else if (link?.enqueue(message(index, hops))) index += 1
    else await sleep(1)
    if (index % 16 === 0) await sleep(0) // let the link write and read
  }
  tellBench('sent')
}

/** The payload tells its number and when it was made. */
function message(index: number, hops: number) {
  const payload = new Uint8Array(MESSAGE_BYTES)
  viewOf(payload).setUint32(0, index)
  viewOf(payload).setFloat64(4, preciseNowMs())
  const nowMinutes = minutesNow()
  const packet = buildOnion({
    header: {
      luminosity: 0,
      address: inboxAddress(inboxKey),
      expiryMinutes: roundUpExpiry(nowMinutes + HOLD_MINUTES),
    },
    publicKey: inboxKey,
    instruction: {
      kind: 'message',
      messageId: Uint8Array.from(randomBytes(16)),
      index: 0,
      count: 1,
      payload,
    },
    hops: chooseHops(hops).map(({ address, sealKey }, i) => ({
      address,
      sealKey,
      delayMs: 0,
      postageUnits: postage[hops - 1 - i] ?? 0,
    })),
    nowMinutes,
  })
  return { packet, postageUnits: postage[hops] ?? 0, level: 0 }
}

/** Different relays, by chance. */
function chooseHops(count: number) {
  const left = [...relays]
  return Array.from({ length: count }, () => {
    const [chosen] = left.splice(Math.floor(Math.random() * left.length), 1)
    if (!chosen) throw new TypeError('There are fewer relays than hops')
    return chosen
  })
}
