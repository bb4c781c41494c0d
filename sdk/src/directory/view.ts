/** From checked relays to what a client computes with (PROTOCOL.md §1.4, §2). */
import {
  discloseAddress,
  MainframeError,
  matchesPrefix,
  mostPerPrefix,
  networkLuminosity,
  postageTable,
  type RelayPrices,
  tableFees,
} from '@mainframe/protocol'
import type { CheckedListing } from './check-listing.ts'
import type { DirectoryView, Relay } from './relay.ts'

/**
 * The view of a listing. The count of users may be one indexer's word alone; what it can do with it is
 * bounded by the number of relays, which is checked. Throws `NETWORK_NO_RELAY`.
 */
export function createView(
  listing: Pick<CheckedListing, 'relays' | 'block' | 'users'>,
  fetchedAtMs: number,
): DirectoryView {
  const { relays, block, users } = listing
  const offered = relays.flatMap(({ prices }): RelayPrices[] => (prices ? [prices] : []))
  if (offered.length === 0) {
    throw new MainframeError(
      'NETWORK_NO_RELAY',
      'No active relay offers route/1 and hold/1 for MFT; wait until one does',
      { retryable: true },
    )
  }
  const luminosity = networkLuminosity(relays.length, users)
  const addresses = relays.map(({ address }) => address)
  const destinations = mostPerPrefix(addresses, luminosity)
  return {
    block,
    fetchedAtMs,
    relays,
    byId: new Map(relays.map((relay) => [relay.nodeId, relay])),
    luminosity,
    table: postageTable({ relays: offered, destinations, luminosity }),
    mostRouteUnits: tableFees(offered).routeUnits,
  }
}

/** The relays that a packet for this inbox address will reach: those that match what it discloses. */
export function destinationsOf(view: DirectoryView, inboxAddress: Uint8Array): readonly Relay[] {
  const prefix = discloseAddress(inboxAddress, view.luminosity)
  return view.relays.filter(({ address }) => matchesPrefix(address, prefix, view.luminosity))
}
