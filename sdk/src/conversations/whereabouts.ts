/**
 * Who was heard in which epoch. Members who were not heard in the newest one are shown the commits that
 * lead to it; who stays silent is asked one to one, and whoever is behind comes back by external commit.
 */
import { equalBytes } from '@mainframe/protocol'
import { groupInfo, rejoin } from '../mls/group.ts'
import { createKeyPackage } from '../mls/key-packages.ts'
import type { MlsState } from '../mls/state.ts'
import { randomBytes } from '../random.ts'
import { type Aside, decodeAside, encodeAside, isFurther, type Standing } from './asides.ts'
import { type Core, groupOf, headOf, othersOf, tell } from './core.ts'
import { mayLead } from './enter.ts'
import type { Epoch, Published } from './epoch.ts'
import { encodeFloor, isAdmin } from './group-data.ts'
import { MAX_QUESTIONS } from './limits.ts'
import { bytesOf } from './message.ts'
import { nameOf } from './reader.ts'

/** How many first waits of a reminder somebody may be silent before it is asked. */
const SILENT_WAITS = 7

/** What follows from where others are. */
export interface Ways {
  /** Commits beyond an epoch of that number are to be shown. */
  show: (after: number) => void
  /** By an external commit, into a branch that is further. */
  comeBack: (state: MlsState, commit: Published) => Promise<void>
  end: (reason: 'removed' | 'left') => Promise<void>
}

export class Whereabouts {
  readonly #core: Core
  readonly #ways: Ways
  /** Where and when a member was heard last. */
  readonly #heard = new Map<string, Standing & { atMs: number }>()
  /** By the challenge in hex: who was asked. */
  readonly #questions = new Map<string, string>()
  /** When a member was asked last, and how often since it was heard. */
  readonly #asked = new Map<string, { atMs: number; times: number }>()
  readonly #answeredAtMs = new Map<string, number>()
  readonly #sinceMs: number
  /** The epoch that this client sees to that everybody knows. */
  #own: string | undefined

  constructor(core: Core, ways: Ways) {
    this.#core = core
    this.#ways = ways
    this.#sinceMs = core.ports.clock.now()
  }

  /** A member spoke in an epoch. */
  heard(name: string, { epoch, id }: Epoch): void {
    this.#heard.set(name, { epoch, epochId: id, atMs: this.#core.ports.clock.now() })
    this.#asked.delete(name)
  }

  /** The newest epoch is this client's own doing, or it has just begun: nobody else may see to it. */
  vouchForHead(): void {
    this.#own = headOf(this.#core).id
  }

  /** Whether somebody may not know the newest epoch, and it is up to this client. */
  get isConcern(): boolean {
    return this.#own === headOf(this.#core).id && this.#behind().length > 0
  }

  /** Others are reminded of something: here of commits, and who does not react is asked. */
  remind(): void {
    const { epoch } = headOf(this.#core)
    const known = this.#behind().map((name) => this.#heard.get(name)?.epoch ?? epoch - 1)
    if (known.length > 0) this.#ways.show(Math.max(0, Math.min(...known, epoch - 1)))
    this.#askOne()
  }

  /** Something that a member said one to one. The outcome has a name. */
  async received(from: Uint8Array, bytes: Uint8Array): Promise<string> {
    if (!this.#core.epochs.head) return 'ended'
    const aside = decodeAside(bytes)
    if (!aside) return 'aside-malformed'
    return aside.kind === 'question' ? this.#onQuestion(from, aside) : this.#onAnswer(from, aside)
  }

  /** Names of the others who were not heard in the newest epoch. */
  #behind(): string[] {
    const { id } = headOf(this.#core)
    return othersOf(this.#core).filter((name) => this.#heard.get(name)?.epochId !== id)
  }

  /** Somebody who was not heard for long, and was not asked lately either. */
  #askOne(): void {
    const { clock, times, random } = this.#core.ports
    const nowMs = clock.now()
    const beganAtMs = Math.max(this.#sinceMs, headOf(this.#core).createdAtMs)
    const due = othersOf(this.#core).filter((name) => {
      const sinceMs = Math.max(beganAtMs, this.#heard.get(name)?.atMs ?? 0)
      return nowMs - sinceMs >= SILENT_WAITS * times.retryMs && this.#mayAsk(name)
    })
    const name = due[Math.floor(random() * due.length)]
    if (name !== undefined) this.#ask(name)
  }

  /** Less and less often: the other one may be away for long. */
  #mayAsk(name: string): boolean {
    const { clock, times } = this.#core.ports
    const asked = this.#asked.get(name)
    return !asked || clock.now() >= asked.atMs + times.lastRetryMs * 2 ** asked.times
  }

  #ask(name: string): void {
    const times = (this.#asked.get(name)?.times ?? -1) + 1
    this.#asked.set(name, { atMs: this.#core.ports.clock.now(), times })
    const challenge = randomBytes(32)
    this.#questions.set(nameOf(challenge), name)
    const [oldest] = this.#questions.keys()
    if (this.#questions.size > MAX_QUESTIONS && oldest) this.#questions.delete(oldest)
    this.#say(name, { kind: 'question', challenge, ...this.#standing() })
  }

  async #onQuestion(from: Uint8Array, question: Aside): Promise<string> {
    const { ports, epochs } = this.#core
    const name = nameOf(from)
    const own = this.#standing()
    const isMember = othersOf(this.#core).includes(name)
    if (!this.#core.people.get(name)) return 'aside-stranger'
    if (own.epochId === question.epochId) return 'aside-idle'
    if (isMember ? isFurther(question, own) : question.epoch > own.epoch) {
      if (isMember && this.#mayAsk(name)) this.#ask(name)
      return 'aside-ahead'
    }
    if (isMember && epochs.get(question.epochId)) {
      this.#ways.show(question.epoch)
      return 'aside-shown'
    }
    const nowMs = ports.clock.now()
    if (nowMs - (this.#answeredAtMs.get(name) ?? 0) < ports.times.retryMs) return 'aside-flood'
    this.#answeredAtMs.set(name, nowMs)
    const { state, inboxKey } = headOf(this.#core)
    this.#say(name, {
      ...own,
      kind: 'answer',
      challenge: question.challenge,
      sealFor: isMember ? inboxKey.publicKey : new Uint8Array(32),
      groupInfo: isMember ? await groupInfo(ports.mls, state) : new Uint8Array(),
    })
    return 'aside-answered'
  }

  async #onAnswer(from: Uint8Array, answer: Extract<Aside, { kind: 'answer' }>): Promise<string> {
    const challenge = nameOf(answer.challenge)
    if (this.#questions.get(challenge) !== nameOf(from)) return 'aside-unasked'
    this.#questions.delete(challenge)
    const own = this.#standing()
    if (answer.groupInfo.length > 0) {
      return isFurther(answer, own) ? this.#comeBack(from, answer) : 'aside-idle'
    }
    // Admins may remove anybody, so one's word is enough.
    const isAdmins = isAdmin(groupOf(this.#core).data, from)
    if (!isAdmins || answer.epoch < own.epoch || answer.epochId === own.epochId) return 'aside-idle'
    await this.#ways.end(this.#core.meta.isLeaving ? 'left' : 'removed')
    return 'removed'
  }

  async #comeBack(
    from: Uint8Array,
    { groupInfo, sealFor, epoch }: Extract<Aside, { kind: 'answer' }>,
  ): Promise<string> {
    const { ports, history, id } = this.#core
    const own = await createKeyPackage(ports.mls, ports.identity)
    const authenticatedData = encodeFloor(history.clock)
    const back = await rejoin(ports.mls, { groupInfo, own, authenticatedData })
    const isOurs = back && equalBytes(back.state.groupId, id) && back.state.epoch === epoch + 1
    if (!isOurs || !mayLead(this.#core, from, back.state)) return 'aside-refused'
    await this.#ways.comeBack(back.state, { bytes: back.commit, sealFor })
    return 'came-back'
  }

  #standing(): Standing {
    const { epoch, id } = headOf(this.#core)
    return { epoch, epochId: id }
  }

  #say(name: string, aside: Aside): void {
    tell(this.#core.ports, { type: 'aside', to: bytesOf(name), bytes: encodeAside(aside) })
  }
}
