/** Stores without a disk: durable a turn of the event loop later, in the same order every time. */
import { setImmediate } from 'node:timers/promises'
import { type Hex, matchesPrefix, type PacketHeader } from '@mainframe/protocol'
import type { Wish } from '../../../node/src/holding/hold-index.ts'
import type { SignedAmount } from '../../../node/src/payments/signed-log.ts'
import type { StoredVoucher } from '../../../node/src/payments/voucher-log.ts'

export class MemoryHolds {
  readonly #listeners = new Set<() => void>()
  readonly #held: { packet: Uint8Array; header: PacketHeader }[] = []
  readonly #capacity: number
  #durable = 0

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get hasRoom(): boolean {
    return this.#held.length < this.#capacity
  }

  get pendingBytes(): number {
    return (this.#held.length - this.#durable) * 2048
  }

  get highestCursor(): number {
    return this.#held.length
  }

  append(packet: Uint8Array, header: PacketHeader): void {
    this.#held.push({ packet, header })
  }

  async flush(): Promise<void> {
    const upTo = this.#held.length
    if (upTo === this.#durable) return
    await setImmediate()
    this.#durable = Math.max(this.#durable, upTo)
    for (const listener of this.#listeners) listener()
  }

  onHeld(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async next({ prefix, bits }: Wish, cursor: number) {
    for (let i = cursor; i < this.#durable; i++) {
      const held = this.#held[i]
      if (!held) break
      const { address, luminosity } = held.header
      if (!matchesPrefix(prefix, address, Math.min(bits, luminosity))) continue
      return { packet: held.packet, cursor: i + 1, more: true }
    }
    return { cursor: this.#durable, more: false }
  }
}

export class MemoryVouchers {
  readonly entries = new Map<Hex, StoredVoucher>()

  async put(voucher: StoredVoucher): Promise<void> {
    await setImmediate()
    this.entries.set(voucher.channelId, voucher)
  }
}

export class MemoryReleases {
  readonly entries = new Map<Hex, SignedAmount>()

  async put(release: SignedAmount): Promise<void> {
    await setImmediate()
    this.entries.set(release.channelId, release)
  }
}
