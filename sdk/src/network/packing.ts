/** From a parcel to a packet: delays, postage, layers. */
import {
  buildOnion,
  HOLD_CLASS_MINUTES,
  type Hop,
  inboxAddress,
  MAX_DELAY_MS,
  minutesNow,
  roundUpExpiry,
} from '@mainframe/protocol'
import type { DirectoryView, Relay } from '../directory/relay.ts'
import type { Parcel } from '../messages/parcel.ts'
import { exponential, type Random } from '../random.ts'

/** What a packet is made of, besides its parcel. */
export interface Packing {
  view: DirectoryView
  hops: readonly Relay[]
  nowMs: number
  random: Random
}

/** Postage of a parcel's outermost packet. */
export function postageOf({ holdClass, hops }: Parcel, { table }: DirectoryView): number {
  return table[holdClass][hops] ?? 0
}

/** The packet of a parcel over these hops, and what it carries. */
export function pack(parcel: Parcel, { view, hops, nowMs, random }: Packing) {
  const { to, message, holdClass, address = inboxAddress(to) } = parcel
  const nowMinutes = minutesNow(nowMs)
  const layers = hops.map(
    ({ address, sealKey }, i): Hop => ({
      address,
      sealKey,
      delayMs: exponential(parcel.delayMs, MAX_DELAY_MS, random),
      postageUnits: view.table[holdClass][hops.length - 1 - i] ?? 0,
    }),
  )
  const packet = buildOnion({
    header: {
      luminosity: view.luminosity,
      address,
      expiryMinutes: roundUpExpiry(nowMinutes + HOLD_CLASS_MINUTES[holdClass]),
    },
    publicKey: to,
    instruction: message,
    hops: layers,
    nowMinutes,
  })
  return { packet, postageUnits: postageOf(parcel, view), level: 0 }
}
