/** Where a peer is dialled: as registered, where it was last reached, and where it says it moved. */
import type { AddressBook } from './address-book.ts'
import type { Network } from './network.ts'
import type { PeersOptions } from './peers.ts'

/** Failed attempts in a row after which others are asked where the peer is. */
const FAILURES_TO_ASK = 2

export function createAddressesOf(
  book: Pick<AddressBook, 'addressOf'>,
  network: Pick<Network, 'find'>,
): PeersOptions['addressesOf'] {
  return async ({ peerKey, multiaddrs }, failures, signal) => {
    const addresses = new Set(multiaddrs)
    const last = book.addressOf(peerKey)
    if (last !== undefined) addresses.add(last)
    if (failures >= FAILURES_TO_ASK) {
      for (const address of await network.find(peerKey, signal)) addresses.add(address)
    }
    return [...addresses]
  }
}
