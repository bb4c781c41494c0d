/** The client: what a message costs it, how long one takes, and how much of it there is. */
import { benchBundle } from './sdk/bundle.ts'
import { benchForeignPacket } from './sdk/foreign.ts'
import { benchGroupSend, benchJoin } from './sdk/group.ts'
import { benchLive } from './sdk/live.ts'
import { benchPair } from './sdk/pair.ts'
import { SDK_PARTS, type SdkPart } from './sdk-parts.ts'
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
  /** The same where the browser has no X25519 of its own. */
  foreignPacketAloneUs: number | null
}

const TEXT = 'x'.repeat(200)
const LIVE = { relays: 8, messages: 300, starts: 5 }

/** The parts that can be run alone. */
const PARTS = {
  browser: async () => {
    const foreign = await benchForeignPacket()
    return {
      foreignPacketUs: foreign ? rounded(foreign.receiveUs, 0) : null,
      foreignPacketAloneUs: foreign ? rounded(foreign.aloneUs, 0) : null,
    }
  },
  bundle: async () => {
    const { bundleKbGz, bundleStartKbGz } = await benchBundle()
    return { bundleKbGz: rounded(bundleKbGz, 1), bundleStartKbGz: rounded(bundleStartKbGz, 1) }
  },
  pair: async () => {
    const { sendMs, receiveMs } = await benchPair(TEXT)
    return { sendMs: rounded(sendMs), receiveMs: rounded(receiveMs) }
  },
  group: async () => {
    const { sendMs, packets } = await benchGroupSend(20, TEXT)
    return { groupSend20Ms: rounded(sendMs), packetsPerGroupMessage20: packets }
  },
  join: async () => ({ join100Ms: rounded(await benchJoin(100), 0) }),
  live: async (tell: Tell) => {
    const live = await benchLive(LIVE, tell)
    return {
      endToEndP50Ms: rounded(live.endToEndP50Ms, 1),
      endToEndP99Ms: rounded(live.endToEndP99Ms, 1),
      coldStartMs: rounded(live.coldStartMs, 0),
    }
  },
} satisfies Record<SdkPart, (tell: Tell) => Promise<Partial<SdkFigures>>>

type Tell = (progress: string) => void

/** All figures, or those of one part. */
export async function benchSdk(tell: Tell, only?: SdkPart): Promise<Partial<SdkFigures>> {
  const figures: Partial<SdkFigures> = {}
  for (const part of only ? [only] : SDK_PARTS) {
    tell(`part ${part}`)
    Object.assign(figures, await PARTS[part](tell))
  }
  return figures
}
