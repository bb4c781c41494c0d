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
import type { Charges } from '../routing/rule.ts'
import type { AcceptedMedium } from './media.ts'
import { SignatureQueue, type Signer } from './signatures.ts'
import type { SignedLog } from './signed-log.ts'
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
  /** What the debits were for; only where anybody keeps accounts. */
  readonly charges?: Charges | undefined
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
  /** Epochs that `Releases` has ended: no voucher is taken in them. */
  released: Pick<SignedLog, 'entries'>
  /** Account that channels must name as payee. */
  payee: Hex
  domain: ChannelsDomain
  terms: PaymentTerms
  /** How old the directory is: seconds since the time of the newest confirmed block. */
  viewAgeSeconds(): number
  /**
   * The oldest directory with which vouchers are accepted: a close that it does not know of yet must
   * be seen, and claimed before, in what is left of the shortest notice.
   */
  maxViewAgeSeconds: number
  /** The most vouchers that may wait to be checked. */
  maxPending?: number
  /** Where what packets were charged for is counted. */
  chargesOf?(channelId: Hex, epoch: number): Charges
}

/** What became of a voucher; an account goes with `accepted` only. */
export type Offer =
  | { outcome: 'accepted'; account: ChannelAccount }
  | { outcome: Exclude<CreditOutcome, 'accepted'>; account: undefined }

interface LedgerAccount extends ChannelAccount {
  /** With the rate of its units: one, as long as this runs. */
  readonly medium: MediumTerms
  epoch: number
  /** The greatest amount whose signature was found good, durable or about to be. */
  acceptedBase: bigint
  /** Its end was consented to, or is about to be. */
  isEnded: boolean
}

/** What of a channel's terms a voucher can vary, and what follows from it. */
interface NamedChannel {
  payer: Uint8Array
  token: Uint8Array
  signer: Signer
  noticeSeconds: number
  idBytes: Uint8Array
  id: Hex
  payerHex: Hex
  signerHex: Hex
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
  /** The channel that each link named last: hashing its terms costs as much as the digest. */
  readonly #named = new WeakMap<object, NamedChannel>()
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
    const named = this.#channelOf(credit, link)
    if (named === undefined) return refuse('wrong-terms')
    const { id } = named
    const early = this.#judge(id, credit)
    if (typeof early === 'string') return refuse(early)
    const { epoch, amount, signature } = credit
    const digest = voucherDigest(this.#separator, { channelId: named.idBytes, epoch, amount })
    const isSigned = await this.#queue.check({ digest, signature, signer: named.signer })
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
      payer: named.payerHex,
      signer: named.signerHex,
      noticeSeconds: credit.noticeSeconds,
    })
    if (this.#accounts.get(id) !== account) return refuse('wrong-epoch')
    const units = countableUnits(amount, account.medium.baseUnitsPerUnit)
    account.durableUnits = Math.max(account.durableUnits, units)
    account.boundTo = link
    return { outcome: 'accepted', account }
  }

  /** The credit of a channel; `undefined` when no voucher of its present epoch came since the start. */
  creditOf(channelId: Hex): Readonly<ChannelAccount> | undefined {
    return this.#accounts.get(channelId)
  }

  /** What a unit costs in a token; `undefined` for one that is not taken. */
  rateOf(token: Hex): bigint | undefined {
    return this.#media.get(token)?.baseUnitsPerUnit
  }

  /** What an amount of a token is worth in units; 0 for a token that is not taken. */
  unitsOf(token: Hex, base: bigint): number {
    const rate = this.rateOf(token)
    return rate === undefined ? 0 : countableUnits(base, rate)
  }

  /** The greatest amount that was accepted in the present epoch of a channel, base units. */
  acceptedBase({ channelId, epoch }: ChannelRow): bigint {
    const known = this.#accounts.get(channelId)
    return known?.epoch === epoch ? known.acceptedBase : this.#durableBase(channelId, epoch)
  }

  /** Takes no further voucher in the present epoch of a channel; answers {@link acceptedBase}. */
  endEpoch(row: ChannelRow): bigint {
    const medium = this.#media.get(row.token)
    // of a token that is not taken any more no voucher comes anyway
    if (medium) this.#accountOf(row, medium).isEnded = true
    return this.acceptedBase(row)
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
  #channelOf(credit: Credit, link: object): NamedChannel | undefined {
    const { payer, token, signer, noticeSeconds } = credit
    if (noticeSeconds < this.#options.terms.minNoticeSeconds) return undefined
    const last = this.#named.get(link)
    if (last && isOf(last, credit)) return last
    if (!this.#media.has(toHex(token))) return undefined
    const idBytes = channelId({ payer, payee: this.#payee, token, signer, noticeSeconds })
    const named = {
      payer: payer.slice(),
      token: token.slice(),
      signer: { account: signer.slice() },
      noticeSeconds,
      idBytes,
      id: toHex(idBytes),
      payerHex: toHex(payer),
      signerHex: toHex(signer),
    }
    this.#named.set(link, named)
    return named
  }

  /** The account that a voucher is for, or why it cannot become credit; all but the signature. */
  #judge(id: Hex, credit: Credit): LedgerAccount | Exclude<CreditOutcome, 'accepted'> {
    const { directory, viewAgeSeconds, maxViewAgeSeconds } = this.#options
    if (viewAgeSeconds() > maxViewAgeSeconds) return 'busy'
    const row = directory.channels.get(id)
    const medium = row && this.#media.get(row.token)
    if (!row || !medium || row.state === 'closed') return 'unknown-channel'
    if (row.state === 'closing') return 'closing'
    if (credit.epoch !== row.epoch) return 'wrong-epoch'
    if (row.deposit < medium.minDepositBase) return 'small-deposit'
    const account = this.#accountOf(row, medium)
    if (account.isEnded) return 'closing'
    if (credit.amount <= account.acceptedBase) return 'not-greater'
    if (credit.amount > row.deposit) return 'over-deposit'
    return this.#fitsWindow(credit.amount, account) ? account : 'over-window'
  }

  #fitsWindow(amount: bigint, { spentUnits, medium }: LedgerAccount): boolean {
    const { maxWindowUnits } = this.#options.terms
    const mostUnits = Math.min(spentUnits + maxWindowUnits, Number.MAX_SAFE_INTEGER)
    return amount <= BigInt(mostUnits) * medium.baseUnitsPerUnit
  }

  /**
   * After a restart everything durable counts as spent: what was unspent is not known any more. The rate
   * may be another than before, so what is left of a unit counts as spent as well: else a part that was
   * paid and spent before would be credit again.
   */
  #accountOf({ channelId, epoch }: ChannelRow, medium: MediumTerms): LedgerAccount {
    const known = this.#accounts.get(channelId)
    if (known?.epoch === epoch) return known
    if (known) this.#retire(known)
    const { released } = this.#options
    const acceptedBase = this.#durableBase(channelId, epoch)
    const rate = medium.baseUnitsPerUnit
    const account: LedgerAccount = {
      channelId,
      medium,
      epoch,
      acceptedBase,
      isEnded: released.entries.get(channelId)?.epoch === epoch,
      spentUnits: countableUnits(acceptedBase + rate - 1n, rate),
      durableUnits: countableUnits(acceptedBase, rate),
      charges: this.#options.chargesOf?.(channelId, epoch),
      boundTo: undefined,
    }
    this.#accounts.set(channelId, account)
    return account
  }

  #durableBase(channelId: Hex, epoch: number): bigint {
    const stored = this.#options.vouchers.entries.get(channelId)
    return stored?.epoch === epoch ? stored.amount : 0n
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

function isOf({ payer, token, signer, noticeSeconds }: NamedChannel, credit: Credit): boolean {
  if (noticeSeconds !== credit.noticeSeconds || Buffer.compare(payer, credit.payer) !== 0)
    return false
  if (Buffer.compare(token, credit.token) !== 0) return false
  return Buffer.compare(signer.account, credit.signer) === 0
}

function refuse(outcome: Exclude<CreditOutcome, 'accepted'>): Offer {
  return { outcome, account: undefined }
}
