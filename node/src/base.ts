/** What the parts of a relay are put together from. */
import type { Hex } from '@mainframe/protocol'
import type { Journal } from './accounts/journal.ts'
import type { Closers } from './closers.ts'
import type { RelayConfig } from './config.ts'
import type { HoldStore } from './holding/hold-store.ts'
import type { AddressBook } from './links/address-book.ts'
import type { Logger } from './log.ts'
import type { RelayKeys } from './operator/keys.ts'
import type { ClaimResult } from './payments/claims.ts'
import type { SignedLog } from './payments/signed-log.ts'
import type { VoucherLog } from './payments/voucher-log.ts'
import type { RoutingMemory } from './routing/router.ts'

/** What every part may need. */
export interface Base {
  config: RelayConfig
  keys: RelayKeys
  log: Logger
  closers: Closers
}

/** What is on disk. */
export interface Stores {
  vouchers: VoucherLog
  signed: SignedLog
  /** Epochs of channels that were released to their payers. */
  released: SignedLog
  journal: Journal
  holds: HoldStore
  memory: RoutingMemory
  book: AddressBook
}

/** What the parts tell their relay. */
export interface Hooks {
  onLinkUp(): void
  onClaimed(result: ClaimResult): void
  /** A payee takes no more vouchers on a channel of ours that is open. */
  onLeft(channelId: Hex, epoch: number): void
  /** The disk failed: the relay cannot keep what it is paid for. */
  onFailure(error: unknown): void
}
