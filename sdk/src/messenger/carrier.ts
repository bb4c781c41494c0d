/** What a messenger needs of the network below; `Mainframe` is one. */
import type { KeyPair } from '@mainframe/protocol'

export interface Carrier {
  /** X25519 public key of our inbox, 32 bytes. */
  readonly inboxKey: Uint8Array
  /** Resolves when the message is queued. Goes on until it is delivered or given up. */
  send(to: Uint8Array, bytes: Uint8Array): Promise<Carriage>
  /** To everybody who listens at a group's inbox; nobody acknowledges it. */
  publish(to: { address: Uint8Array; publicKey: Uint8Array }, bytes: Uint8Array): Promise<Published>
  /** Messages to our inbox, one at a time, again while the handler rejects. Returns how to stop. */
  onMessage(handler: (message: Received) => Promise<void>): () => void
  /** Listens to the inbox of a group, under a name for its part of the store. */
  listen(group: GroupListening): Promise<unknown>
  rekey(id: string, keys: readonly KeyPair[]): void
  leave(id: string): Promise<void>
}

export interface Carriage {
  /** The entry relay has taken every packet. */
  accepted: Promise<void>
  /** The recipient has acknowledged it. */
  delivered: Promise<void>
}

export interface Published {
  accepted: Promise<void>
}

export interface Received {
  /** Inbox key for an answer, as the sender claims. */
  from: Uint8Array
  bytes: Uint8Array
}

export interface GroupListening {
  id: string
  address: Uint8Array
  keys: readonly KeyPair[]
  handler(message: { bytes: Uint8Array }): Promise<void>
}
