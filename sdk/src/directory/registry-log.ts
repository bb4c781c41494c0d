/** The log of the registry, replayed: which relays there are, proved by one storage slot of the chain. */
import {
  continuesLog,
  type Deployment,
  errorCode,
  fromHex,
  GENESIS_HEAD,
  type Hex,
  isRegistrationSigned,
  type LogHead,
  type RegistryEvent,
} from '@mainframe/protocol'
import { lie } from './fault.ts'
import { LOG_PAGE, type LogSource } from './log-api.ts'

/** A longer log is not replayed: it would take a client minutes and hundreds of megabytes. */
const MAX_LOG_EVENTS = 200_000n

interface Replayed {
  at: LogHead
  /** Block of registration of every node that is signed and active. */
  active: ReadonlyMap<Hex, number>
}

const EMPTY: Replayed = { at: GENESIS_HEAD, active: new Map() }

/** What was replayed is kept, whoever told it, so that only new events are asked for. */
export class RegistryLog {
  readonly #deployment: Deployment
  #replayed = EMPTY

  constructor(deployment: Deployment) {
    this.#deployment = deployment
  }

  /**
   * Relays that stand where the chain's log ends, with their block of registration; `undefined` when
   * the log is too long. Throws `INDEXER_INVALID` when `source` does not lead there.
   */
  async activeAt(end: LogHead, source: LogSource): Promise<ReadonlyMap<Hex, number> | undefined> {
    if (end.seq > MAX_LOG_EVENTS) return undefined
    if (!isAt(this.#replayed, end)) this.#replayed = await this.#advance(end, source)
    return this.#replayed.active
  }

  async #advance(end: LogHead, source: LogSource): Promise<Replayed> {
    const known = this.#replayed
    if (known.at.seq > 0n && end.seq > known.at.seq) {
      try {
        return await this.#replay(known, end, source)
      } catch (error) {
        // a reorganisation may have taken back what was replayed: the whole log decides
        if (errorCode(error) !== 'INDEXER_INVALID') throw error
      }
    }
    return await this.#replay(EMPTY, end, source)
  }

  async #replay(from: Replayed, end: LogHead, source: LogSource): Promise<Replayed> {
    const active = new Map(from.active)
    let { at } = from
    while (at.seq < end.seq) {
      const page = await source(at.seq + 1n)
      for (const event of page.slice(0, Number(end.seq - at.seq))) {
        assertNext(at, event, page)
        this.#reduce(active, event)
        at = { seq: event.seq, head: event.head }
      }
      if (at.seq < end.seq && page.length < LOG_PAGE) throw lie('log-omission')
    }
    if (!isAt({ at, active }, end)) throw lie('log-forgery')
    return { at, active }
  }

  #reduce(active: Map<Hex, number>, event: RegistryEvent): void {
    const { type, nodeId } = event
    if (type === 'UnstakeBegun') active.delete(nodeId)
    if (type !== 'Registered') return
    const { chainId, registry } = this.#deployment
    const signed = isRegistrationSigned(fromHex(event.nodeKey), fromHex(event.signature), {
      chainId: BigInt(chainId),
      registry: fromHex(registry),
      operator: fromHex(event.operator),
    })
    if (signed) active.set(nodeId, event.blockNumber)
  }
}

function isAt({ at }: Replayed, { seq, head }: LogHead): boolean {
  return at.seq === seq && at.head === head
}

function assertNext(at: LogHead, event: RegistryEvent, page: readonly RegistryEvent[]): void {
  const next = at.seq + 1n
  if (event.seq !== next) {
    const comesLater = page.some(({ seq }) => seq === next)
    throw lie(comesLater || event.seq < next ? 'log-order' : 'log-omission')
  }
  if (!continuesLog(at, event)) throw lie('log-forgery')
}
