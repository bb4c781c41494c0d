/** The client: what a message costs it, how long one takes, and how much of it there is. */
import { benchBundle } from './sdk/bundle.ts'
import { benchForeignPacket } from './sdk/foreign.ts'
import { benchGroupSend, benchJoin } from './sdk/group.ts'
import { benchLive } from './sdk/live.ts'
import { benchPair } from './sdk/pair.ts'
import { rounded } from './world/statistics.ts'

export interface SdkFigures {
  /** Processor time of 200 bytes in a conversation of two, without a network, at the sender. */
  sendMs: number
  /** The same at the recipient. */
  receiveMs: number
  /** On a network of 8 relays, three hops, no delays: from `send` until the other one's event. */
  endToEndP50Ms: number
  endToEndP99Ms: number
  /** Processor time of 200 bytes in a group of 20, at the sender. */
  groupSend20Ms: number
  /** Packets of that message. */
  packetsPerGroupMessage20: number
  /** Processor time of joining a group of 100 by its welcome. */
  join100Ms: number
  /** The SDK without libp2p and ethers, minified and compressed, in kB of 1,000 bytes. */
  bundleKbGz: number
  /** As much of it as is fetched before a messenger is wanted. */
  bundleStartKbGz: number
  /** From starting a process until its messenger is open. */
  coldStartMs: number
  /** A packet that is for somebody else, in Chromium; `null` where there is none. */
  foreignPacketUs: number | null
  /** One X25519 of Chromium's own in the same rounds, which opening does not use. */
  webCryptoX25519Us: number | null
}

const TEXT = 'x'.repeat(200)
const LIVE = { relays: 8, messages: 300, starts: 5 }

export async function benchSdk(tell: (progress: string) => void): Promise<SdkFigures> {
  tell('a packet of somebody else, in a browser')
  const foreign = await benchForeignPacket()
  tell('bundling')
  const bundle = await benchBundle()
  tell('a conversation of two')
  const pair = await benchPair(TEXT)
  tell('a group of 20')
  const group = await benchGroupSend(20, TEXT)
  tell('a group of 100')
  const joinMs = await benchJoin(100)
  const live = await benchLive(LIVE, tell)
  return {
    sendMs: rounded(pair.sendMs),
    receiveMs: rounded(pair.receiveMs),
    endToEndP50Ms: rounded(live.endToEndP50Ms, 1),
    endToEndP99Ms: rounded(live.endToEndP99Ms, 1),
    groupSend20Ms: rounded(group.sendMs),
    packetsPerGroupMessage20: group.packets,
    join100Ms: rounded(joinMs, 0),
    bundleKbGz: rounded(bundle.bundleKbGz, 0),
    bundleStartKbGz: rounded(bundle.bundleStartKbGz, 0),
    coldStartMs: rounded(live.coldStartMs, 0),
    foreignPacketUs: foreign ? rounded(foreign.openUs, 0) : null,
    webCryptoX25519Us: foreign ? rounded(foreign.webCryptoUs, 0) : null,
  }
}
