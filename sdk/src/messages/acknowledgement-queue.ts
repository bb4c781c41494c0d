/** Acknowledgements that wait to be sent. They are not acknowledged themselves. */
import { equalBytes, type Hex } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Experience } from '../directory/experience.ts'
import { randomBytes } from '../random.ts'
import { avoiding, type Parcel } from './parcel.ts'
import { acknowledgementMessage } from './payload.ts'
import type { OutgoingAcknowledgement } from './personal.ts'

export interface AcknowledgementOptions {
  clock: Clock
  experience: Experience
  /** How acknowledgements travel. */
  carriage: Pick<Parcel, 'holdClass' | 'hops' | 'delayMs'>
  /** This way did not work. */
  onLost(path: readonly Hex[]): void
}

/** Acknowledgements that wait at most; those left out are asked for again by their senders. */
const MOST_WAITING = 256
/** Messages of which the last way is remembered. */
const MOST_REMEMBERED = 1_024
/** Packets by which an acknowledgement is sent that was asked for again, each another way. */
const COPIES_WHEN_ASKED_AGAIN = 2
/** How probable it is that a way failed when its acknowledgement is asked for again. */
const WHEN_ASKED_AGAIN = 0.9

interface Waiting {
  acknowledgement: OutgoingAcknowledgement
  copies: number
  /** Relays on the ways that were taken before. */
  avoid: Set<Hex>
}

/** The way that the last acknowledgement of a message took, and what it said. */
interface Way {
  path: readonly Hex[]
  received: Uint8Array
}

export class AcknowledgementQueue {
  readonly #options: AcknowledgementOptions
  /** By the message that they acknowledge: a newer one replaces an older one. */
  readonly #waiting = new Map<string, Waiting>()
  /** By the message as well. */
  readonly #ways = new Map<string, Way>()
  #shipped = 0

  constructor(options: AcknowledgementOptions) {
    this.#options = options
  }

  /** Whether every one of them was taken by the entry relay. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0 && this.#shipped === 0
  }

  push(acknowledgement: OutgoingAcknowledgement): void {
    const key = acknowledgement.messageId.join()
    const last = this.#ways.get(key)
    this.#ways.delete(key)
    // The same again: the sender has not got it. Otherwise he sent what it said was missing.
    const isAskedAgain = last !== undefined && equalBytes(last.received, acknowledgement.received)
    const { experience, clock } = this.#options
    if (isAskedAgain) {
      experience.lost(last.path, clock.now(), WHEN_ASKED_AGAIN)
      this.#options.onLost(last.path)
    } else if (last) experience.arrived(last.path, clock.now(), 1)
    const copies = isAskedAgain ? COPIES_WHEN_ASKED_AGAIN : 1
    this.#wait(key, { acknowledgement, copies, avoid: new Set(isAskedAgain ? last.path : []) })
  }

  next(): Parcel | undefined {
    const [first] = this.#waiting
    if (!first) return undefined
    const [key, waiting] = first
    const { acknowledgement, copies, avoid } = waiting
    this.#waiting.delete(key)
    if (copies > 1) this.#waiting.set(key, { ...waiting, copies: copies - 1 })
    this.#shipped += 1
    const end = () => {
      this.#shipped -= 1
    }
    return {
      ...this.#options.carriage,
      to: acknowledgement.to,
      message: acknowledgementMessage(acknowledgement, randomBytes(16)),
      bias: avoiding(avoid),
      shipped: (path) => {
        for (const nodeId of path) avoid.add(nodeId)
        this.#remember(key, { path, received: acknowledgement.received })
      },
      accepted: end,
      // Not worth a queue of its own: the sender asks again.
      refused: end,
      returned: () => {
        end()
        // A newer one may have taken its place.
        if (!this.#waiting.has(key)) this.#wait(key, { acknowledgement, copies: 1, avoid })
      },
    }
  }

  clear(): void {
    this.#waiting.clear()
  }

  #wait(key: string, waiting: Waiting): void {
    dropOldest(this.#waiting, MOST_WAITING)
    this.#waiting.set(key, waiting)
  }

  #remember(key: string, way: Way): void {
    this.#ways.delete(key)
    dropOldest(this.#ways, MOST_REMEMBERED)
    this.#ways.set(key, way)
  }
}

/** Makes room for one more. */
function dropOldest(map: Map<string, unknown>, limit: number): void {
  const [oldest] = map.keys()
  if (map.size >= limit && oldest !== undefined) map.delete(oldest)
}
