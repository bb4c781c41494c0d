/** What a client knows of relays, after everything about them was checked on chain. */
import type { BoardRow, Hex, PostageTable, RelayPrices } from '@mainframe/protocol'

/** A relay that may be used. */
export interface Relay {
  nodeId: Hex
  operator: Hex
  /** Account that channels pay. */
  payee: Hex
  /** Ed25519 public key, from which the libp2p peer id follows. */
  nodeKey: Uint8Array
  /** X25519 public key that opens layers for this relay. */
  sealKey: Uint8Array
  /** Overlay address. */
  address: Uint8Array
  multiaddrs: readonly string[]
  stakeBase: bigint
  updatedBlock: number
  /** Rows of `route/1` and `hold/1` in MFT as the price board holds them. */
  rows: { route: BoardRow; hold: BoardRow }
  /** What it asks now; `undefined` when it does not offer both services in MFT. */
  prices: RelayPrices | undefined
  /**
   * The most base units that a unit may cost by the board now, in the medium that this client pays
   * with; `undefined` when it offers the services in that one or in MFT not at all.
   */
  rate: bigint | undefined
}

/** The network as of one moment. */
export interface DirectoryView {
  /** The block that the youngest answer speaks of. */
  block: { number: number; hash: Hex; time: number }
  /** When it was fetched, by this machine's clock. */
  fetchedAtMs: number
  /** Every active relay; the order means nothing. */
  relays: readonly Relay[]
  byId: ReadonlyMap<Hex, Relay>
  /** Bits that clients disclose. */
  luminosity: number
  /** What every client attaches and every FORWARD names. */
  table: PostageTable
  /** The most that a relay on the way may ask for the table to pay it. */
  mostRouteUnits: number
}
