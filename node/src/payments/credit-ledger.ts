/** The payee's side of payment: which vouchers become credit (PROTOCOL.md §4). */
import {
  baseToUnits,
  type ChannelRow,
  type ChannelsDomain,
  type Credit,
  type CreditOutcome,
  channelId,
  domainSeparator,
  equalBytes,
  fromHex,
  type Hex,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import { SignatureQueue } from './signatures.ts'
import type { VoucherLog } from './voucher-log.ts'

/** What a relay takes for payment; its quotes say the same. */
export interface PaymentTerms {
  /** The accepted ERC20. */
  token: Hex
  /** Smallest deposit that is taken seriously, base units. */
  minDepositBase: bigint
  /** Shortest notice: time for a claim after a close was requested. */
  minNoticeSeconds: number
  /** The most that may be prepaid and unspent. */
  maxWindowUnits: number
  /** What one unit costs in base units of the token. */
  baseUnitsPerUnit: bigint
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

/** Base units over all channels and epochs, the claimed part as confirmed on chain. */
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
  /** How old the directory is: seconds since the time of the newest confirmed block. */
  viewAgeSeconds(): number
  /**
   * The oldest directory with which vouchers are accepted: a close that it does not know of yet must
   * be seen, and claimed before, in what is left of the shortest notice.
   */
  maxViewAgeSeconds: number
  /** The most vouchers that may wait to be checked. */
  maxPending?: number
}

/** What became of a voucher; an account goes with `accepted` only. */
export type Offer =
  | { outcome: 'accepted'; account: ChannelAccount }
  | { outcome: Exclude<CreditOutcome, 'accepted'>; account: undefined }

interface LedgerAccount extends ChannelAccount {
  epoch: number
  /** The greatest amount whose signature was found good, durable or about to be. */
  acceptedBase: bigint
}

/** About a tenth of a second of checking. */
const DEFAULT_MAX_PENDING = 1_024

export class CreditLedger {
  readonly #options: CreditLedgerOptions
  readonly #payee: Uint8Array
  readonly #token: Uint8Array
  readonly #separator: Uint8Array
  readonly #queue: SignatureQueue
  readonly #accounts = new Map<Hex, LedgerAccount>()
  readonly #unsubscribe: () => void

  constructor(options: CreditLedgerOptions) {
    this.#options = options
    this.#payee = fromHex(options.payee, 20)
    this.#token = fromHex(options.terms.token, 20)
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
    const units = baseToUnits(amount, this.#options.terms.baseUnitsPerUnit)
    account.durableUnits = Math.max(account.durableUnits, units)
    account.boundTo = link
    return { outcome: 'accepted', account }
  }

  earned(): Earnings {
    const { directory, vouchers, payee, terms } = this.#options
    const total: Earnings = { earnedBase: 0n, claimedBase: 0n, unclaimedBase: 0n }
    for (const [id, row] of directory.channels) {
      if (row.payee !== payee || row.token !== terms.token.toLowerCase()) continue
      const claimedBase = (directory.earlierClaims.get(id) ?? 0n) + row.claimed
      const unclaimedBase = unclaimedOf(row, vouchers)
      total.claimedBase += claimedBase
      total.unclaimedBase += unclaimedBase
      total.earnedBase += claimedBase + unclaimedBase
    }
    return total
  }

  /** Stops to listen to the directory. */
  close(): void {
    this.#unsubscribe()
  }

  /** The channel that a voucher speaks of, if it is one of ours and of our token and notice. */
  #idOf({ payer, token, signer, noticeSeconds }: Credit): Hex | undefined {
    if (!equalBytes(token, this.#token)) return undefined
    if (noticeSeconds < this.#options.terms.minNoticeSeconds) return undefined
    return toHex(channelId({ payer, payee: this.#payee, token, signer, noticeSeconds }))
  }

  /** The account that a voucher is for, or why it cannot become credit; all but the signature. */
  #judge(id: Hex, credit: Credit): LedgerAccount | Exclude<CreditOutcome, 'accepted'> {
    const { directory, terms, viewAgeSeconds, maxViewAgeSeconds } = this.#options
    if (viewAgeSeconds() > maxViewAgeSeconds) return 'busy'
    const row = directory.channels.get(id)
    if (!row || row.state === 'closed') return 'unknown-channel'
    if (row.state === 'closing') return 'closing'
    if (credit.epoch !== row.epoch) return 'wrong-epoch'
    if (row.deposit < terms.minDepositBase) return 'small-deposit'
    const account = this.#accountOf(row)
    if (credit.amount <= account.acceptedBase) return 'not-greater'
    if (credit.amount > row.deposit) return 'over-deposit'
    return this.#fitsWindow(credit.amount, account) ? account : 'over-window'
  }

  #fitsWindow(amount: bigint, { spentUnits }: LedgerAccount): boolean {
    const { maxWindowUnits, baseUnitsPerUnit } = this.#options.terms
    const mostUnits = Math.min(spentUnits + maxWindowUnits, Number.MAX_SAFE_INTEGER)
    return amount <= BigInt(mostUnits) * baseUnitsPerUnit
  }

  /** After a restart everything durable counts as spent: what was unspent is not known any more. */
  #accountOf({ channelId, epoch }: ChannelRow): LedgerAccount {
    const known = this.#accounts.get(channelId)
    if (known?.epoch === epoch) return known
    if (known) this.#retire(known)
    const stored = this.#options.vouchers.entries.get(channelId)
    const acceptedBase = stored?.epoch === epoch ? stored.amount : 0n
    const units = baseToUnits(acceptedBase, this.#options.terms.baseUnitsPerUnit)
    const account: LedgerAccount = {
      channelId,
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
