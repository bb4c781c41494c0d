/**
 * Loops: packets to ourselves that find out which relay of a lost packet's way is to blame
 * (PROTOCOL.md §5). They look like any other packet and are sent only when there is doubt.
 */
import { type Hex, toHex } from '@mainframe/protocol'
import type { Clock } from '../clock.ts'
import type { Experience } from '../directory/experience.ts'
import { randomBytes } from '../random.ts'
import type { Parcel, ParcelSource } from './parcel.ts'
import { loopMessage } from './payload.ts'

export interface ProberOptions {
  clock: Clock
  experience: Experience
  /** Our own inbox public key. */
  self: Uint8Array
  /** How loops travel: as messages do, to look alike. */
  carriage: Pick<Parcel, 'holdClass' | 'hops' | 'delayMs'>
  /** When a loop that is not back counts as lost. */
  patienceMs: number
  /** A relay that is as good as dead is not tested again within this. */
  restMs: number
  onWork(): void
  /** Loop after loop is lost, whatever its way, and nothing else came: the entry relay is in doubt. */
  onNothingBack(): void
}

/** So long a relay that something came through needs no test. */
const PROVEN_MS = 5 * 60_000
/** Relays that are tested at a time. */
const MOST_AT_ONCE = 6
/** A loop goes through the relay in question, whatever its weight. */
const CERTAINLY = 1e9
/** Others are taken along when there are not enough that are known to work. */
const UNPROVEN = 0.05
/** How probable it is that a loop comes back when its relays work. */
const WHEN_IT_IS_A_LOOP = 0.99

/**
 * So many loops lost in a row are no accident of their hops. Doubled each time that another entry
 * relay did not help, since each costs a deposit and the fault may lie where we receive.
 */
const LOST_IN_A_ROW = 6

interface Loop {
  target: Hex
  path: readonly Hex[]
  cancel: () => void
}

export class Prober implements ParcelSource {
  readonly #options: ProberOptions
  readonly #waiting = new Set<Hex>()
  readonly #underWay = new Map<string, Loop>()
  readonly #testedAtMs = new Map<Hex, number>()
  #lostInARow = 0
  #mostInARow = LOST_IN_A_ROW

  constructor(options: ProberOptions) {
    this.#options = options
  }

  /**
   * A packet of this way was lost, or its answer: tests the relays that nothing has come through
   * lately. Those that were found dead are left alone for a while.
   */
  doubt(path: readonly Hex[]): void {
    const { carriage, onWork } = this.#options
    if (carriage.hops === 0) return
    for (const nodeId of path) {
      if (this.#waiting.size + this.#underWay.size >= MOST_AT_ONCE) break
      if (this.#isWorthATest(nodeId)) this.#waiting.add(nodeId)
    }
    if (this.#waiting.size > 0) onWork()
  }

  next(): Parcel | undefined {
    const [target] = this.#waiting
    if (target === undefined) return undefined
    this.#waiting.delete(target)
    const { carriage, self, clock } = this.#options
    this.#testedAtMs.set(target, clock.now())
    const token = randomBytes(16)
    return {
      ...carriage,
      to: self,
      message: loopMessage(token),
      bias: (nodeId) => this.#bias(nodeId, target),
      shipped: (path) => this.#ship(toHex(token), { path, target }),
      accepted: () => {},
      refused: () => this.#forget(toHex(token)),
      returned: () => {
        this.#forget(toHex(token))
        this.#waiting.add(target)
      },
    }
  }

  /** A loop is back. */
  onLoop(token: Uint8Array): void {
    const loop = this.#forget(toHex(token))
    if (!loop) return
    this.#options.experience.arrived(loop.path, this.#options.clock.now(), 1)
    this.onArrival()
  }

  /** Something that we sent has arrived: the entry relay passes packets on. */
  onArrival(): void {
    this.#lostInARow = 0
    this.#mostInARow = LOST_IN_A_ROW
  }

  close(): void {
    this.#waiting.clear()
    for (const { cancel } of this.#underWay.values()) cancel()
    this.#underWay.clear()
  }

  #isWorthATest(nodeId: Hex): boolean {
    const { experience, clock, restMs } = this.#options
    const nowMs = clock.now()
    if ([...this.#underWay.values()].some(({ target }) => target === nodeId)) return false
    if (
      experience.provenForMs(nodeId, nowMs) < PROVEN_MS &&
      experience.weight(nodeId, nowMs) === 1
    ) {
      return false
    }
    const testedForMs = nowMs - (this.#testedAtMs.get(nodeId) ?? Number.NEGATIVE_INFINITY)
    return !experience.isWrittenOff(nodeId, nowMs) || testedForMs >= restMs
  }

  /** In the company of relays that are known to work, the answer is about the one in question. */
  #bias(nodeId: Hex, target: Hex): number {
    if (nodeId === target) return CERTAINLY
    const { experience, clock } = this.#options
    return experience.provenForMs(nodeId, clock.now()) < PROVEN_MS ? 1 : UNPROVEN
  }

  #ship(key: string, { path, target }: Omit<Loop, 'cancel'>): void {
    const { clock, experience, patienceMs } = this.#options
    const cancel = clock.after(patienceMs, () => {
      this.#underWay.delete(key)
      experience.lost(path, clock.now(), WHEN_IT_IS_A_LOOP)
      this.#onLost()
    })
    this.#underWay.set(key, { target, path, cancel })
  }

  #onLost(): void {
    this.#lostInARow += 1
    if (this.#lostInARow < this.#mostInARow) return
    this.#lostInARow = 0
    this.#mostInARow *= 2
    this.close() // what is under way went through the same relay and says nothing about the next one
    this.#options.onNothingBack()
  }

  #forget(key: string): Loop | undefined {
    const loop = this.#underWay.get(key)
    loop?.cancel()
    this.#underWay.delete(key)
    return loop
  }
}
