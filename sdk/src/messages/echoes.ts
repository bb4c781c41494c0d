/**
 * What is sent to a group of which we are ourselves comes back. That is no acknowledgement of anybody,
 * but it shows that relays hold it and which ways work. Nothing is sent again because of it.
 */
import type { Clock } from '../clock.ts'
import type { Experience } from '../directory/experience.ts'
import type { OutgoingMessage } from './outgoing.ts'
import type { Prober } from './prober.ts'

export interface EchoesOptions {
  clock: Clock
  experience: Experience
  prober: Pick<Prober, 'doubt' | 'onArrival'>
  /** When a fragment that is not back counts as lost. */
  patienceMs: number
}

/** How probable it is that a fragment comes back when its relays and those that deliver work. */
const WHEN_ALL_WORK = 0.9

export class Echoes {
  readonly #options: EchoesOptions

  constructor(options: EchoesOptions) {
    this.#options = options
  }

  /** Every fragment was accepted: the message is over when it is back, or when it is too late for that. */
  await(message: OutgoingMessage): void {
    if (!message.options.group?.isEchoed) {
      message.finish()
      return
    }
    const { clock, patienceMs } = this.#options
    message.cancelTimer()
    message.cancelTimer = clock.after(patienceMs, () => this.#giveUp(message))
  }

  onEcho(message: OutgoingMessage, index: number): void {
    const { clock, experience, prober } = this.#options
    experience.arrived(message.fragments[index]?.path ?? [], clock.now(), 1)
    message.onArrived(index)
    prober.onArrival()
    if (message.arrived === message.options.count) message.finish()
  }

  #giveUp(message: OutgoingMessage): void {
    const { clock, experience, prober } = this.#options
    for (const { state, path } of message.fragments) {
      if (state === 'arrived') continue
      experience.lost(path, clock.now(), WHEN_ALL_WORK)
      prober.doubt(path)
    }
    message.finish()
  }
}
