/** Which vouchers a watchtower takes, and for whom. */
import {
  type ChannelRow,
  channelId,
  type Deployment,
  domainSeparator,
  fromHex,
  type Hex,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import { SignatureQueue } from '../payments/signatures.ts'
import { type Counts, createCounts } from '../routing/outcomes.ts'
import type { TowerStore, TowerVoucher } from './tower-store.ts'
import {
  type Held,
  MAX_SKEW_SECONDS,
  parseRequest,
  requestDigest,
  TOWER_OUTCOMES,
  type TowerAnswer,
  type TowerOutcome,
  type TowerRequest,
  type WireVoucher,
} from './wire.ts'

export interface DeskOptions {
  deployment: Deployment
  directory: Pick<Directory, 'channels' | 'relays'>
  store: TowerStore
  /** In which it claims. */
  tokens: ReadonlySet<Hex>
  /** Whom it serves; every registered relay's payee when it is empty. */
  payees: readonly Hex[]
  maxPerPayee: number
  maxVouchers: number
}

/** Why nothing of a request was looked at. */
export type DeskRefusal = 'malformed' | 'stale' | 'unserved' | 'unsigned' | 'busy'

/** Signatures that may wait to be checked. */
const MAX_PENDING = 2_048

export class Desk {
  readonly #options: DeskOptions
  readonly #separator: Uint8Array
  readonly #queue = new SignatureQueue(MAX_PENDING)
  /** Payees whose requests are looked at now: one of each, so that none keeps the others waiting. */
  readonly #inHand = new Set<Hex>()
  /** Vouchers by outcome, since the start. */
  readonly outcomes: Counts<TowerOutcome> = createCounts(TOWER_OUTCOMES)

  constructor(options: DeskOptions) {
    this.#options = options
    const { chainId, channels } = options.deployment
    this.#separator = domainSeparator({ chainId: BigInt(chainId), contract: fromHex(channels) })
  }

  /** The answer to a request, given when what it says is durable. Throws `STORE_FAILED`. */
  async take(body: Uint8Array, signature: Uint8Array): Promise<TowerAnswer | DeskRefusal> {
    const request = parseRequest(Buffer.from(body).toString())
    if (!request) return 'malformed'
    const payee = request.payee as Hex
    if (Math.abs(Date.now() / 1_000 - request.time) > MAX_SKEW_SECONDS) return 'stale'
    if (!this.#serves(payee)) return 'unserved'
    const digest = requestDigest(this.#options.deployment, body)
    const isSigned = await this.#queue.check({
      digest,
      signature,
      signer: { account: fromHex(payee) },
    })
    if (isSigned === undefined) return 'busy'
    if (!isSigned) return 'unsigned'
    if (this.#inHand.has(payee)) return 'busy'
    this.#inHand.add(payee)
    try {
      return await this.#takeAll(request)
    } finally {
      this.#inHand.delete(payee)
    }
  }

  async #takeAll(request: TowerRequest): Promise<TowerAnswer> {
    const payee = request.payee as Hex
    const vouchers = request.vouchers.map((voucher) => this.#stored(payee, voucher))
    const verdicts = await Promise.all(vouchers.map((voucher) => this.#judge(voucher)))
    this.#keep(vouchers, verdicts)
    return { vouchers: vouchers.map((voucher, i) => this.#answer(voucher, verdicts[i] ?? 'busy')) }
  }

  /** Gives up what the chain has closed. Throws `STORE_FAILED`. */
  prune(): void {
    const { store, directory } = this.#options
    const ended: Hex[] = []
    for (const { channelId: id, epoch } of store.entries.values()) {
      const row = directory.channels.get(id)
      if (row && (row.state === 'closed' || row.epoch > epoch)) ended.push(id)
    }
    store.remove(ended)
  }

  #serves(payee: Hex): boolean {
    const { payees, directory } = this.#options
    if (payees.length > 0) return payees.includes(payee)
    for (const { row } of directory.relays.values()) if (row.payee === payee) return true
    return false
  }

  #stored(payee: Hex, { amount, ...wire }: WireVoucher): TowerVoucher {
    const [payer, signer] = [wire.payer as Hex, wire.signer as Hex]
    const { epoch, noticeSeconds } = wire
    const id = channelId({
      payer: fromHex(payer),
      payee: fromHex(payee),
      token: fromHex(wire.token as Hex),
      signer: fromHex(signer),
      noticeSeconds,
    })
    const signature = fromHex(wire.signature as Hex)
    const terms = { channelId: toHex(id), payee, payer, signer, noticeSeconds }
    return { ...terms, epoch, amount: BigInt(amount), signature }
  }

  /** What the chain and the signature say; whether there is room is looked at when it is kept. */
  async #judge(voucher: TowerVoucher): Promise<TowerOutcome> {
    const { channelId: id, epoch, amount, signature, signer } = voucher
    const { directory, tokens } = this.#options
    const row: ChannelRow | undefined = directory.channels.get(id)
    if (!row || row.state === 'closed') return 'unknown-channel'
    if (!tokens.has(row.token)) return 'unknown-token'
    if (row.epoch !== epoch) return 'wrong-epoch'
    if (this.#isHeld(voucher)) return 'held'
    const digest = voucherDigest(this.#separator, { channelId: fromHex(id), epoch, amount })
    const isSigned = await this.#queue.check({
      digest,
      signature,
      signer: { account: fromHex(signer) },
    })
    if (isSigned === undefined) return 'busy'
    return isSigned ? 'held' : 'bad-signature'
  }

  #isHeld({ channelId: id, epoch, amount }: TowerVoucher): boolean {
    const known = this.#options.store.entries.get(id)
    return known?.epoch === epoch && known.amount >= amount
  }

  /** In one write; what finds no room is `full`. */
  #keep(vouchers: readonly TowerVoucher[], verdicts: TowerOutcome[]): void {
    const { store, maxPerPayee, maxVouchers } = this.#options
    const fresh = new Map<Hex, TowerVoucher>()
    let added = 0
    for (const [i, voucher] of vouchers.entries()) {
      const { channelId: id, payee, amount } = voucher
      if (verdicts[i] !== 'held' || this.#isHeld(voucher)) continue
      const known = fresh.get(id) ?? store.entries.get(id)
      const hasRoom =
        store.countOf(payee) + added < maxPerPayee && store.entries.size + added < maxVouchers
      if (!known && !hasRoom) {
        verdicts[i] = 'full'
        continue
      }
      if (!known) added += 1
      if ((fresh.get(id)?.amount ?? -1n) < amount) fresh.set(id, voucher)
    }
    store.put([...fresh.values()])
  }

  #answer({ channelId: id }: TowerVoucher, outcome: TowerOutcome): Held {
    this.outcomes[outcome] += 1
    const { epoch = 0, amount = 0n } = this.#options.store.entries.get(id) ?? {}
    return { channelId: id, outcome, epoch, amount: `${amount}` }
  }
}
