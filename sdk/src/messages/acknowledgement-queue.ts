/** Acknowledgements that wait to be sent. They are not acknowledged themselves. */
import type { Hex } from '@mainframe/protocol'
import { randomBytes } from '../random.ts'
import type { Parcel } from './parcel.ts'
import { acknowledgementMessage } from './payload.ts'
import type { OutgoingAcknowledgement } from './receiver.ts'

/** How acknowledgements travel. */
export interface AcknowledgementOptions {
  carriage: Pick<Parcel, 'holdClass' | 'hops' | 'delayMs'>
}

/** Acknowledgements that wait at most; those left out are asked for again by their senders. */
const MOST_WAITING = 256
/** Messages of which the last path is remembered, to go another way when asked again. */
const MOST_PATHS = 1_024

export class AcknowledgementQueue {
  readonly #carriage: AcknowledgementOptions['carriage']
  /** By the message that they acknowledge: a newer one replaces an older one. */
  readonly #waiting = new Map<string, OutgoingAcknowledgement>()
  readonly #paths = new Map<string, readonly Hex[]>()
  #shipped = 0

  constructor({ carriage }: AcknowledgementOptions) {
    this.#carriage = carriage
  }

  /** Whether every one of them was taken by the entry relay. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#shipped === 0
  }

  push(acknowledgement: OutgoingAcknowledgement): void {
    bounded(this.#waiting, MOST_WAITING).set(acknowledgement.messageId.join(), acknowledgement)
  }

  next(): Parcel | undefined {
    const [first] = this.#waiting
    if (!first) return undefined
    const [key, acknowledgement] = first
    this.#waiting.delete(key)
    this.#shipped += 1
    const end = () => {
      this.#shipped -= 1
    }
    return {
      ...this.#carriage,
      to: acknowledgement.to,
      message: acknowledgementMessage(acknowledgement, randomBytes(16)),
      avoid: new Set(this.#paths.get(key)),
      shipped: (path) => void bounded(this.#paths, MOST_PATHS).set(key, path),
      accepted: end,
      // Not worth a queue of its own: the sender asks again.
      refused: end,
      returned: () => {
        end()
        // A newer one may have taken its place.
        if (!this.#waiting.has(key)) this.push(acknowledgement)
      },
    }
  }

  clear(): void {
    this.#waiting.clear()
  }
}

/** The map with room for one more: its oldest entry goes. */
function bounded<V>(map: Map<string, V>, limit: number): Map<string, V> {
  const [oldest] = map.keys()
  if (map.size >= limit && oldest !== undefined) map.delete(oldest)
  return map
}
