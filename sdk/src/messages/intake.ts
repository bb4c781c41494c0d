/** Where packets of an inbox arrive: straight at its receiver, or by way of what is computed aside. */
import type { Aside } from '../platform/aside.ts'
import type { Agreed, Keyring } from './keyring.ts'
import type { Receiver } from './receiver.ts'
import { idOf } from './seen-packets.ts'
import type { Prepared } from './unseal.ts'

/** The part of a receiver that takes packets and knows how far it is with each relay. */
export type PacketTaker = Pick<
  Receiver<unknown>,
  'receive' | 'knows' | 'keyring' | 'unopened' | 'tryAgain' | 'resumeAt' | 'restartAt'
>

export interface Intake {
  /** A packet that a relay delivered under a cursor. They are dealt with in the order of the calls. */
  take(packet: Uint8Array, relay: string, cursor: number): void
  /** Tries new keys on packets of late that no key has opened, before whatever is taken next. */
  tryAgain(added: Keyring): void
  /** Calls back when everything that was taken before is dealt with. */
  after(then: () => void): void
  /** Resolves when more may be taken; `undefined` is now. */
  whenRoom(): Promise<void> | undefined
  /** Forgets what is not dealt with: no cursor has passed it, so it is delivered again. */
  close(): void
}

/** Packets whose keys are being computed: 128 kB, and work for a platform that has threads for it. */
export const MOST_UNDER_WAY = 64

export function createIntake(receiver: PacketTaker, aside: Aside | undefined): Intake {
  return aside ? new PreparingIntake(receiver, aside) : straight(receiver)
}

function straight(receiver: PacketTaker): Intake {
  return {
    take: (packet, relay, cursor) => void receiver.receive(packet, relay, cursor),
    tryAgain: (added) => receiver.tryAgain(added),
    after: (then) => then(),
    whenRoom: () => undefined,
    close: () => {},
  }
}

/**
 * Several packets are computed at a time. What comes of that is only a short cut for the receiver,
 * which sees the packets as if there were none: keys may change meanwhile, copies may cross.
 */
class PreparingIntake implements Intake {
  readonly #receiver: PacketTaker
  readonly #aside: Aside
  readonly #ids = new Set<string>()
  /** Ends with the last packet that was taken. */
  #last: Promise<void> = Promise.resolve()
  #underWay = 0
  #room: PromiseWithResolvers<void> | undefined
  #isClosed = false

  constructor(receiver: PacketTaker, aside: Aside) {
    this.#receiver = receiver
    this.#aside = aside
  }

  take(packet: Uint8Array, relay: string, cursor: number): void {
    if (this.#isClosed) return
    this.#underWay += 1
    this.#last = this.#pass(this.#last, { packet, relay, cursor })
  }

  tryAgain(added: Keyring): void {
    this.#underWay += 1
    this.#last = this.#tryAgain(this.#last, added)
  }

  after(then: () => void): void {
    if (this.#underWay === 0) then()
    else this.#last = this.#last.then(then)
  }

  whenRoom(): Promise<void> | undefined {
    if (this.#underWay < MOST_UNDER_WAY || this.#isClosed) return undefined
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  close(): void {
    this.#isClosed = true
    this.#room?.resolve()
  }

  async #pass(
    before: Promise<void>,
    { packet, relay, cursor }: { packet: Uint8Array; relay: string; cursor: number },
  ): Promise<void> {
    const prepared = await this.#prepare(packet)
    await before
    this.#underWay -= 1
    if (prepared.id !== undefined) this.#ids.delete(prepared.id)
    if (this.#isClosed) return
    this.#receiver.receive(packet, relay, cursor, prepared)
    if (this.#underWay < MOST_UNDER_WAY / 2) this.#makeRoom()
  }

  async #tryAgain(before: Promise<void>, added: Keyring): Promise<void> {
    await before
    const agreed = new Map<Uint8Array, Agreed>()
    for (const { packet } of [...this.#receiver.unopened]) {
      if (this.#isClosed) break
      agreed.set(packet, await added.agree(packet, this.#aside))
    }
    this.#underWay -= 1
    if (!this.#isClosed) this.#receiver.tryAgain(added, agreed)
  }

  #makeRoom(): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  /** Copies, of which two relays deliver one each, cost no key; the receiver drops them. */
  async #prepare(packet: Uint8Array): Promise<Prepared> {
    try {
      const id = idOf(await this.#aside.sha256(packet))
      if (this.#receiver.knows(id) || this.#ids.has(id)) return { id }
      this.#ids.add(id)
      return { id, agreed: await this.#receiver.keyring.agree(packet, this.#aside) }
    } catch {
      return {} // the platform has failed: the receiver computes all of it
    }
  }
}
