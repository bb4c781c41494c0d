import {
  decodeContactCode,
  HOLD_CLASS_MINUTES,
  type HoldClass,
  inboxAddress,
  mostPerPrefix,
  unitsToBase,
} from '@mainframe/protocol'
import type { ClientContext } from '../context.ts'
import { destinationsOf } from '../directory/view.ts'
import { assertLength, fragmentCount } from '../messages/payload.ts'
import { assertHoldClass, assertHops } from '../options.ts'

/** A message that has not been sent; what is left out is as the client was opened. */
export interface EstimateParameters {
  /** Bytes of the message. */
  length: number
  /** Contact code: whose relays are counted exactly. Without one, the most that any recipient has. */
  to?: string
  hops?: number
  holdClass?: HoldClass
}

/** What sending would mean, if every packet arrives at the first attempt. */
export interface Estimate {
  packets: number
  /** Relays that will receive and hold each packet, counted in the directory. */
  relaysReached: number
  luminosity: number
  hops: number
  holdClass: HoldClass
  /** For how long relays hold the packets. */
  holdMs: number
  /** Postage of one packet, in units of 10^-9 MFT. */
  postageUnits: number
  /** Of all packets, in base units of MFT. */
  priceBase: bigint
  /** The most that this costs in what the client pays with, in its base units. */
  mostPriceBase: bigint
}

/** Throws `MESSAGE_TOO_LONG`, `CODEC_INVALID`, `CONFIG_INVALID`, and what the directory throws. */
export async function estimate(
  context: Pick<ClientContext, 'settings' | 'directory'>,
  parameters: EstimateParameters,
): Promise<Estimate> {
  const { settings } = context
  const { length, to, hops = settings.hops, holdClass = settings.holdClass } = parameters
  const address = to === undefined ? undefined : inboxAddress(decodeContactCode(to))
  const count = fragmentCount(length)
  return await estimateFor(context, { length, count, address, hops, holdClass })
}

/** A message of `count` packets for an inbox, or for any. */
interface Plan {
  length: number
  count: number
  address: Uint8Array | undefined
  hops: number
  holdClass: HoldClass
}

/** The estimate of a message by the address of its inbox; throws like {@link estimate}. */
export async function estimateFor(
  { settings, directory }: Pick<ClientContext, 'settings' | 'directory'>,
  { length, count: packets, address, hops, holdClass }: Plan,
): Promise<Estimate> {
  assertLength(length)
  assertHops(hops)
  assertHoldClass(holdClass)
  const view = await directory.fresh()
  const { luminosity, relays, table } = view
  const most = () => mostPerPrefix(addressesOf(relays), luminosity)
  const { mostBaseUnitsPerUnit } = settings.medium
  const postageUnits = table[holdClass][hops] ?? 0
  return {
    packets,
    // A prefix that no relay shares is served by the closest relay.
    relaysReached: Math.max(1, address ? destinationsOf(view, address).length : most()),
    luminosity,
    hops,
    holdClass,
    holdMs: HOLD_CLASS_MINUTES[holdClass] * 60_000,
    postageUnits,
    priceBase: BigInt(packets) * unitsToBase(postageUnits),
    mostPriceBase: BigInt(packets) * unitsToBase(postageUnits, mostBaseUnitsPerUnit),
  }
}

function addressesOf(relays: readonly { address: Uint8Array }[]): Uint8Array[] {
  return relays.map(({ address }) => address)
}
