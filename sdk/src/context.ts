/** The parts of an open client, as every action gets them. */
import type { KeyPair } from '@mainframe/protocol'
import type { Account } from './chain/account.ts'
import type { Chain } from './chain/chain.ts'
import type { Clock } from './clock.ts'
import type { Directory } from './directory/directory.ts'
import type { Experience } from './directory/experience.ts'
import type { ReceivedMessage } from './messages/deliveries.ts'
import type { Outbox } from './messages/outbox.ts'
import type { Receiver } from './messages/receiver.ts'
import type { Courier } from './network/courier.ts'
import type { Entry } from './network/entry.ts'
import type { GroupInboxes } from './network/group-inboxes.ts'
import type { Guards } from './network/guards.ts'
import type { Connect } from './network/host.ts'
import type { Inbox } from './network/inbox.ts'
import type { Settings } from './options.ts'
import type { ChannelContext } from './payments/channels.ts'
import type { Random } from './random.ts'
import type { Store } from './store/store.ts'

/** Everything that actions work on. */
export interface ClientContext {
  settings: Settings
  clock: Clock
  random: Random
  store: Store
  chain: Chain
  account: Account
  channels: ChannelContext
  connect: Connect
  /** The inbox. */
  keyPair: KeyPair
  experience: Experience
  directory: Directory
  guards: Guards
  outbox: Outbox
  receiver: Receiver<ReceivedMessage>
  entry: Entry
  courier: Courier
  inbox: Inbox
  /** The inboxes of groups. */
  groups: GroupInboxes
}
