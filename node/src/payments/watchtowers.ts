/** Giving this relay's newest vouchers to watchtowers, which claim them while it is off line. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type ChannelRow,
  type Deployment,
  type Hex,
  MainframeError,
  signDigest,
  toHex,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import {
  type Held,
  MAX_VOUCHERS,
  parseAnswer,
  requestDigest,
  SIGNATURE_HEADER,
  type TowerOutcome,
  VOUCHERS_PATH,
  wireVoucher,
} from '../watchtower/wire.ts'
import type { Candidate } from './claim-batches.ts'
import { unclaimedOf } from './credit-ledger.ts'
import type { StoredVoucher, VoucherLog } from './voucher-log.ts'

export interface WatchtowersOptions {
  urls: readonly string[]
  deployment: Deployment
  directory: Pick<Directory, 'channels'>
  vouchers: Pick<VoucherLog, 'entries'>
  /** Account that is paid, and its key. */
  payee: Hex
  payeeSecret: Uint8Array
  /** How often what is newer is sent: so much a sudden end of this relay can keep from them. */
  pushMs: number
  /** Told when a watchtower fails, once until it works again. */
  onTrouble?: (error: MainframeError) => void
}

/** How fresh a watchtower's copy is. */
export interface TowerFreshness {
  url: string
  /** Base units that would be lost if it alone claimed now, by token. */
  behind: Readonly<Record<Hex, bigint>>
  /** Unix milliseconds of its last answer; `undefined` before the first. */
  answeredMs: number | undefined
}

/** What a watchtower says that it holds durably, by channel id. */
type Copy = Map<Hex, { epoch: number; amount: bigint }>

const TIMEOUT_MS = 15_000
const MAX_PAUSE_MS = 5 * 60_000
/** A voucher that a watchtower does not take is not offered again before. */
const REFUSED_PAUSE_MS = 60_000
/** Of a watchtower whose view of the chain is behind ours: it may take the voucher at the next try. */
const LAGGING: readonly TowerOutcome[] = ['unknown-channel', 'wrong-epoch']
/** How often everything is sent again: a watchtower may have lost what it held. */
const RENEW_MS = 60 * 60_000
/** No answer is longer. */
const MAX_ANSWER_BYTES = 256 * 1024
/** For what is still to be sent when the relay stops. */
const LAST_PUSH_MS = 3_000

export class Watchtowers {
  readonly #towers: readonly Tower[]

  constructor({ urls, ...options }: WatchtowersOptions) {
    this.#towers = urls.map((url) => new Tower(url, options))
  }

  start(): void {
    for (const tower of this.#towers) tower.start()
  }

  /** Sends what is newer once more. */
  async stop(): Promise<void> {
    await Promise.all(this.#towers.map((tower) => tower.stop()))
  }

  get freshness(): TowerFreshness[] {
    return this.#towers.map((tower) => tower.freshness)
  }
}

class Tower {
  readonly #url: string
  readonly #options: Omit<WatchtowersOptions, 'urls'>
  readonly #copy: Copy = new Map()
  readonly #refusedMs = new Map<Hex, number>()
  readonly #stop = new AbortController()
  #renewedMs = Date.now()
  #answeredMs: number | undefined
  #failures = 0
  #running: Promise<void> | undefined

  constructor(url: string, options: Omit<WatchtowersOptions, 'urls'>) {
    this.#url = url
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#running
    if (this.#running && this.#failures === 0) {
      await this.#push(AbortSignal.timeout(LAST_PUSH_MS)).catch(() => {}) // it has most of it
    }
  }

  get freshness(): TowerFreshness {
    const behind: Record<Hex, bigint> = {}
    for (const [row, voucher] of this.#unclaimed()) {
      const held = this.#heldOf(voucher)
      const copy = { entries: new Map([[row.channelId, { ...voucher, amount: held }]]) }
      const lacking = unclaimedOf(row, this.#options.vouchers) - unclaimedOf(row, copy)
      if (lacking > 0n) behind[row.token] = (behind[row.token] ?? 0n) + lacking
    }
    const { origin } = new URL(this.#url) // a path may hold a key
    return { url: origin, behind, answeredMs: this.#answeredMs }
  }

  async #run(): Promise<void> {
    const { pushMs, onTrouble } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#push(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]))
        this.#failures = 0
      } catch (cause) {
        if (signal.aborted) return
        this.#failures += 1
        if (this.#failures === 1) onTrouble?.(trouble(this.#url, cause))
      }
      const pauseMs = Math.min(pushMs * 2 ** Math.min(this.#failures, 10), MAX_PAUSE_MS)
      await sleep(Math.max(pauseMs, pushMs), undefined, { signal }).catch(() => {})
    }
  }

  /** Sends everything that is newer than its copy. */
  async #push(signal: AbortSignal): Promise<void> {
    const nowMs = Date.now()
    const isRenewal = nowMs - this.#renewedMs >= RENEW_MS
    const newer = [...this.#newer(isRenewal)]
    for (let i = 0; i < newer.length; i += MAX_VOUCHERS) {
      for (const held of await this.#send(newer.slice(i, i + MAX_VOUCHERS), signal)) {
        this.#learn(held)
      }
      this.#answeredMs = Date.now()
    }
    if (isRenewal) this.#renewedMs = nowMs
  }

  async #send(vouchers: readonly Candidate[], signal: AbortSignal): Promise<Held[]> {
    const { deployment, payee, payeeSecret } = this.#options
    const time = Math.floor(Date.now() / 1_000)
    const told = ({ voucher, token }: Candidate) => wireVoucher(voucher, token)
    const body = Buffer.from(JSON.stringify({ payee, time, vouchers: vouchers.map(told) }))
    const signature = toHex(signDigest(requestDigest(deployment, body), payeeSecret))
    const response = await fetch(new URL(this.#url.replace(/\/+$/, '') + VOUCHERS_PATH), {
      method: 'POST',
      headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: signature },
      body,
      signal,
      redirect: 'error',
    })
    const text = await readText(response)
    const answer = response.ok ? parseAnswer(text) : undefined
    if (answer) return answer.vouchers
    throw new MainframeError(
      'NETWORK_CLOSED',
      `it answers ${response.status}: ${text.slice(0, 200)}`,
    )
  }

  /** Believed as far as it goes: a watchtower that lies is one that does not work. */
  #learn({ channelId, outcome, epoch, amount }: Held): void {
    const id = channelId as Hex
    if (outcome === 'held' || LAGGING.includes(outcome)) this.#refusedMs.delete(id)
    else this.#refusedMs.set(id, Date.now())
    this.#copy.set(id, { epoch, amount: BigInt(amount) })
  }

  *#newer(isRenewal: boolean): Generator<Candidate> {
    const known = new Set<Hex>()
    for (const [row, voucher] of this.#unclaimed()) {
      const id = row.channelId
      known.add(id)
      const waits = Date.now() - (this.#refusedMs.get(id) ?? 0) < REFUSED_PAUSE_MS
      const isNewer = isRenewal || this.#heldOf(voucher) < voucher.amount
      if (!waits && isNewer) yield { voucher, token: row.token }
    }
    for (const id of this.#copy.keys()) {
      if (known.has(id)) continue
      this.#copy.delete(id)
      this.#refusedMs.delete(id)
    }
  }

  #heldOf({ channelId, epoch }: StoredVoucher): bigint {
    const held = this.#copy.get(channelId)
    return held?.epoch === epoch ? held.amount : 0n
  }

  *#unclaimed(): Generator<[ChannelRow, StoredVoucher]> {
    const { directory, vouchers, payee } = this.#options
    for (const row of directory.channels.values()) {
      const voucher = vouchers.entries.get(row.channelId)
      if (row.payee !== payee || !voucher || unclaimedOf(row, vouchers) === 0n) continue
      yield [row, voucher]
    }
  }
}

/** Rejects when it is longer than any answer. */
async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES)
      throw new MainframeError('NETWORK_CLOSED', 'its answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

function trouble(url: string, cause: unknown): MainframeError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const { host } = new URL(url)
  const message = `The watchtower at ${host} does not take our vouchers: ${reason}`
  return new MainframeError('NETWORK_CLOSED', message, { cause, retryable: true })
}
