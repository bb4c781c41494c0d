/** Packets that no key of a group opened: the commit that leads to their key may be on its way. */

/** A packet and where it came from. */
export interface UnopenedPacket {
  packet: Uint8Array
  relay: string
  cursor: number
}

/** 512 kB: paths differ in length, so a message may overtake the commit of its epoch. */
export const MOST_AT_REST = 256
/** 16 MB: what relays deliver while a commit is dealt with, also of days off line. */
export const MOST_WHEN_BUSY = 8_192

export class UnopenedPackets {
  #packets: UnopenedPacket[] = []

  /** `isBusy`: a message that may be a commit is being dealt with. False when there is no room. */
  keep(unopened: UnopenedPacket, isBusy: boolean): boolean {
    if (isBusy && this.#packets.length >= MOST_WHEN_BUSY) return false
    this.#packets.push(unopened)
    if (!isBusy) this.trim()
    return true
  }

  /** Nothing is being dealt with any more: the newest are enough. */
  trim(): void {
    const { length } = this.#packets
    if (length > MOST_AT_REST) this.#packets.splice(0, length - MOST_AT_REST)
  }

  get all(): readonly UnopenedPacket[] {
    return this.#packets
  }

  /** All of them, the oldest first; those for which `take` is true are kept no longer. */
  sift(take: (unopened: UnopenedPacket) => boolean): void {
    this.#packets = this.#packets.filter((unopened) => !take(unopened))
  }
}
