/** Choosing the linked peer that a packet travels over (PROTOCOL.md §2, step 3). */
import {
  destinationFee,
  matchesPrefix,
  NAMED_RELAY,
  type PacketHeader,
  type RelayPrices,
  routeFee,
} from '@mainframe/protocol'
import { compareToTarget, type OverlayRelay, type Target } from './overlay.ts'

/** A relay that this one has a paid link to. */
export interface LinkedPeer {
  readonly relay: OverlayRelay
  /** As its signed quote says, which is at most the board's price. */
  readonly prices: RelayPrices
  /** Whether the link would take a packet with this much postage now. */
  canTake(postageUnits: number): boolean
}

export interface HopChoice<P extends LinkedPeer> {
  links: Iterable<P>
  self: Uint8Array
  target: Target
  /** What the packet will carry to the next hop. */
  postageUnits: number
  /** A peer that just failed. */
  except?: string
  /** A number in 0..n-1. */
  random(n: number): number
}

/**
 * The peer closest to the target among those that can take the packet, strictly closer than this
 * relay, at random among equals; `undefined` for none.
 */
export function chooseNextHop<P extends LinkedPeer>(choice: HopChoice<P>): P | undefined {
  const { links, self, target, postageUnits, except, random } = choice
  let best: P[] = []
  for (const peer of links) {
    const { address, peerKey } = peer.relay
    if (compareToTarget(target, address, self) >= 0 || peerKey === except) continue
    const order = best[0] ? compareToTarget(target, address, best[0].relay.address) : -1
    if (order > 0 || !peer.canTake(postageUnits)) continue
    if (order < 0) best = [peer]
    else best.push(peer)
  }
  return best.length > 1 ? best[random(best.length)] : best[0]
}

/** The least that a peer treats a packet for: with holding where it is a destination. */
export function hopFee({ relay, prices }: LinkedPeer, header: PacketHeader, nowMinutes: number) {
  const { luminosity, address } = header
  const holds = luminosity !== NAMED_RELAY && matchesPrefix(relay.address, address, luminosity)
  return holds ? destinationFee(prices, header, nowMinutes) : routeFee(prices)
}
