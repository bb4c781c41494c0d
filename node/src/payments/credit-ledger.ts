/** The payee's side of payment: which vouchers become credit (PROTOCOL.md §4). */
import {
  type ChannelRow,
  type ChannelsDomain,
  type Credit,
  type CreditOutcome,
  channelId,
  countableUnits,
  domainSeparator,
  fromHex,
  type Hex,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import type { AcceptedMedium } from './media.ts'
import { SignatureQueue } from './signatures.ts'
import type { VoucherLog } from './voucher-log.ts'

/** One medium of exchange that is taken, and at what rate. */
export type MediumTerms = Pick<AcceptedMedium, 'token' | 'baseUnitsPerUnit' | 'minDepositBase'>

/** What a relay takes for payment; its quotes say the same. */
export interface PaymentTerms {
  media: readonly MediumTerms[]
  /** Shortest notice: time for a claim after a close was requested. */
  minNoticeSeconds: number
  /** The most that may be prepaid and unspent. */
  maxWindowUnits: number
}

/**
 * Credit of a channel in its present epoch. The routing rule debits by adding to `spentUnits`; the
 * ledger alone changes the rest. `boundTo` is the link that may spend: the last whose voucher was
 * accepted.
 */
export interface ChannelAccount {
  readonly channelId: Hex
  spentUnits: number
  durableUnits: number
  boundTo: object | undefined
}

/** Base units of one token over all channels and epochs, the claimed part as confirmed on chain. */
export interface Earnings {
  earnedBase: bigint
  claimedBase: bigint
  unclaimedBase: bigint
}

export interface CreditLedgerOptions {
  directory: Directory
  vouchers: Pick<VoucherLog, 'entries' | 'put'>
  /** Account that channels must name as payee. */
  payee: Hex
  domain: ChannelsDomain
  terms: PaymentTerms
  /** The most vouchers that may wait to be checked. */
  maxPending?: number
}

/** What became of a voucher; an account goes with `accepted` only. */
export type Offer =
  | { outcome: 'accepted'; account: ChannelAccount }
  | { outcome: Exclude<CreditOutcome, 'accepted'>; account: undefined }

interface LedgerAccount extends ChannelAccount {
  medium: MediumTerms
  epoch: number
  /** The greatest amount whose signature was found good, durable or about to be. */
  acceptedBase: bigint
}

/** About a tenth of a second of checking. */
const DEFAULT_MAX_PENDING = 1_024

export class CreditLedger {
  readonly #options: CreditLedgerOptions
  readonly #payee: Uint8Array
  /** By token in lower case. */
  readonly #media: ReadonlyMap<Hex, MediumTerms>
  readonly #separator: Uint8Array
  readonly #queue: SignatureQueue
  readonly #accounts = new Map<Hex, LedgerAccount>()
  readonly #unsubscribe: () => void

  constructor(options: CreditLedgerOptions) {
    this.#options = options
    this.#payee = fromHex(options.payee, 20)
    const { media } = options.terms
    this.#media = new Map(media.map((medium) => [medium.token.toLowerCase() as Hex, medium]))
    this.#separator = domainSeparator(options.domain)
    this.#queue = new SignatureQueue(options.maxPending ?? DEFAULT_MAX_PENDING)
    this.#unsubscribe = options.directory.subscribe(() => this.#retireEnded())
  }

  /**
   * Judges a voucher; `accepted` once it is durable, from when on its link may spend. Rejects with
   * `STORE_FAILED` when the disk refuses, never for what a peer sent.
   */
  async offer(credit: Credit, link: object): Promise<Offer> {
    const id = this.#idOf(credit)
    if (id === undefined) return refuse('wrong-terms')
    const early = this.#judge(id, credit)
    if (typeof early === 'string') return refuse(early)
    const { epoch, amount, signature, signer } = credit
    const digest = voucherDigest(this.#separator, { channelId: fromHex(id), epoch, amount })
    const isSigned = await this.#queue.check({ digest, signature, signer })
    if (isSigned === undefined) return refuse('busy')
    if (!isSigned) return refuse('bad-signature')
    // chain, credit and other links went on meanwhile
    const account = this.#judge(id, credit)
    if (typeof account === 'string') return refuse(account)
    account.acceptedBase = amount
    await this.#options.vouchers.put({
      channelId: id,
      epoch,
      amount,
      signature,
      payer: toHex(credit.payer),
      signer: toHex(signer),
      noticeSeconds: credit.noticeSeconds,
    })
    if (this.#accounts.get(id) !== account) return refuse('wrong-epoch')
    const units = countableUnits(amount, account.medium.baseUnitsPerUnit)
    account.durableUnits = Math.max(account.durableUnits, units)
    account.boundTo = link
    return { outcome: 'accepted', account }
  }

  /** By token: of every medium that is taken, and of others in which vouchers were taken before. */
  earned(): Readonly<Record<Hex, Earnings>> {
    const { directory, vouchers, payee } = this.#options
    const none = () => ({ earnedBase: 0n, claimedBase: 0n, unclaimedBase: 0n })
    const totals: Record<Hex, Earnings> = {}
    for (const token of this.#media.keys()) totals[token] = none()
    for (const [id, row] of directory.channels) {
      // anybody may open channels to us in tokens of his own
      const isOurs = this.#media.has(row.token) || vouchers.entries.has(id)
      if (row.payee !== payee || !isOurs) continue
      const total = totals[row.token] ?? none()
      const claimedBase = (directory.earlierClaims.get(id) ?? 0n) + row.claimed
      const unclaimedBase = unclaimedOf(row, vouchers)
      total.claimedBase += claimedBase
      total.unclaimedBase += unclaimedBase
      total.earnedBase += claimedBase + unclaimedBase
      totals[row.token] = total
    }
    return totals
  }

  /** Stops to listen to the directory. */
  close(): void {
    this.#unsubscribe()
  }

  /** The channel that a voucher speaks of, if it is one of ours, in a medium we take, with our notice. */
  #idOf({ payer, token, signer, noticeSeconds }: Credit): Hex | undefined {
    if (!this.#media.has(toHex(token))) return undefined
    if (noticeSeconds < this.#options.terms.minNoticeSeconds) return undefined
    return toHex(channelId({ payer, payee: this.#payee, token, signer, noticeSeconds }))
  }

  /** The account that a voucher is for, or why it cannot become credit; all but the signature. */
  #judge(id: Hex, credit: Credit): LedgerAccount | Exclude<CreditOutcome, 'accepted'> {
    const row = this.#options.directory.channels.get(id)
    const medium = row && this.#media.get(row.token)
    if (!row || !medium || row.state === 'closed') return 'unknown-channel'
    if (row.state === 'closing') return 'closing'
    if (credit.epoch !== row.epoch) return 'wrong-epoch'
    if (row.deposit < medium.minDepositBase) return 'small-deposit'
    const account = this.#accountOf(row, medium)
    if (credit.amount <= account.acceptedBase) return 'not-greater'
    if (credit.amount > row.deposit) return 'over-deposit'
    return this.#fitsWindow(credit.amount, account) ? account : 'over-window'
  }

  #fitsWindow(amount: bigint, { spentUnits, medium }: LedgerAccount): boolean {
    const { maxWindowUnits } = this.#options.terms
    const mostUnits = Math.min(spentUnits + maxWindowUnits, Number.MAX_SAFE_INTEGER)
    return amount <= BigInt(mostUnits) * medium.baseUnitsPerUnit
  }

  /** After a restart everything durable counts as spent: what was unspent is not known any more. */
  #accountOf({ channelId, epoch }: ChannelRow, medium: MediumTerms): LedgerAccount {
    const known = this.#accounts.get(channelId)
    if (known?.epoch === epoch) return known
    if (known) this.#retire(known)
    const stored = this.#options.vouchers.entries.get(channelId)
    const acceptedBase = stored?.epoch === epoch ? stored.amount : 0n
    const units = countableUnits(acceptedBase, medium.baseUnitsPerUnit)
    const account: LedgerAccount = {
      channelId,
      medium,
      epoch,
      acceptedBase,
      spentUnits: units,
      durableUnits: units,
      boundTo: undefined,
    }
    this.#accounts.set(channelId, account)
    return account
  }

  #retireEnded(): void {
    for (const account of this.#accounts.values()) {
      const row = this.#options.directory.channels.get(account.channelId)
      if (row?.state === 'closed' || row?.epoch !== account.epoch) this.#retire(account)
    }
  }

  /** What is left of a closed channel's credit cannot be claimed any more. */
  #retire(account: LedgerAccount): void {
    account.spentUnits = account.durableUnits
    account.boundTo = undefined
    this.#accounts.delete(account.channelId)
  }
}

/** What a claim would pay for a channel now, as far as the confirmed view knows. */
export function unclaimedOf(row: ChannelRow, vouchers: Pick<VoucherLog, 'entries'>): bigint {
  const voucher = vouchers.entries.get(row.channelId)
  if (!voucher || voucher.epoch !== row.epoch || row.state === 'closed') return 0n
  const due = voucher.amount < row.deposit ? voucher.amount : row.deposit
  return due > row.claimed ? due - row.claimed : 0n
}

function refuse(outcome: Exclude<CreditOutcome, 'accepted'>): Offer {
  return { outcome, account: undefined }
}
