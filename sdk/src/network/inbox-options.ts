/** What an inbox is made of. */
import type { Deployment, Hex } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Directory } from '../directory/directory.ts'
import type { Relay } from '../directory/relay.ts'
import type { PacketTaker } from '../messages/intake.ts'
import type { Settings } from '../options.ts'
import type { Aside } from '../platform/aside.ts'
import type { Random } from '../random.ts'
import type { Store } from '../store/store.ts'
import type { Connect } from './host.ts'

export interface InboxOptions {
  directory: Directory
  deployment: Deployment
  connect: Connect
  receiver: PacketTaker
  /** What the platform computes for it. */
  aside?: Aside | undefined
  /** Of this inbox alone. */
  store: Store
  clock: Clock
  random: Random
  settings: Settings
  /** Where it is: the hash of a person's key, or what a group has drawn. */
  address: Uint8Array
  /** The entry relay as far as it is decided. */
  entry(): Relay | undefined
  /** Operators of the relays at which other inboxes of this client are. */
  others(): ReadonlySet<Hex>
}
