/** What a conversation needs from whoever runs it, and what it tells. */
import type { Clock } from '../clock.ts'
import type { Identity } from '../mls/identity.ts'
import type { Mls } from '../mls/suites.ts'
import type { Random } from '../random.ts'
import type { Store } from '../store/store.ts'
import type { ConversationTimes } from './limits.ts'
import type { Role } from './payloads.ts'

export interface ConversationPorts {
  mls: Mls
  identity: Identity
  store: Pick<Store, 'get' | 'set' | 'delete' | 'list'>
  clock: Clock
  random: Random
  times: ConversationTimes
  /**
   * Takes bytes for everybody in the conversation; resolves when the network has accepted them. They
   * may be lost, doubled, late and out of order afterwards. In a group's inbox they are sealed for
   * `sealFor`, the public inbox key of an epoch: members who lack that epoch cannot recognise them.
   */
  publish: (bytes: Uint8Array, sealFor: Uint8Array) => Promise<void>
  /** Called in order; what it throws is ignored. */
  emit: (event: ConversationEvent) => void
}

/** A member as applications see it. */
export interface MemberView {
  inboxKey: Uint8Array
  signatureKey: Uint8Array
  role: Role
}

/** A message of the history. */
export interface MessageView {
  /** 32 hex digits; the same when it was sent again. */
  id: string
  lamport: number
  /** Inbox key. */
  sender: Uint8Array
  isOwn: boolean
  /** What the body is; 0 is text. */
  kind: number
  body: Uint8Array
  /** Of own messages that not everybody has, as far as is known. */
  delivery?: DeliveryView
}

/** How far an own message is. */
export interface DeliveryView {
  state: 'queued' | 'accepted' | 'delivered'
  /** How many of the other members have it, and how many there are. */
  to: number
  of: number
}

/** An X25519 key pair that opens packets of the group's inbox. */
export interface InboxKey {
  secretKey: Uint8Array
  publicKey: Uint8Array
  epoch: number
}

export type ConversationEvent =
  /** `isAgain`: it was known, and its place in the order has changed. */
  | { type: 'message'; message: MessageView; isAgain: boolean }
  | { type: 'delivery'; id: string; delivery: DeliveryView }
  /** So many messages are known of and missing; 0 when none is any more. */
  | { type: 'recovering'; count: number }
  /** Messages that nobody gave in spite of asking. */
  | { type: 'lost'; count: number }
  | { type: 'members'; members: MemberView[] }
  /** Packets of the group's inbox are sealed for the first of these from now on. */
  | { type: 'inbox-keys'; keys: InboxKey[] }
  /** To be carried to each of these, one to one; then call `welcomeCarried(id)`. */
  | { type: 'welcome'; id: string; to: Uint8Array[]; bytes: Uint8Array }
  /** To be carried to this member, one to one: its `receiveAside` takes it. May be lost. */
  | { type: 'aside'; to: Uint8Array; bytes: Uint8Array }
  | { type: 'whisper'; sender: Uint8Array; kind: number; body: Uint8Array }
  /** Nothing can be sent or received any more; the history stays. */
  | { type: 'ended'; reason: 'removed' | 'left' }
  /** Publishing, or something in the background, failed. It is tried again. */
  | { type: 'trouble'; error: unknown }
