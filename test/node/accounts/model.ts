/** A relay's money as it truly is, played by chance, and told to a ledger as a relay would. */
import {
  BASE_PER_UNIT,
  type ChannelRow,
  type ChannelTerms,
  channelId,
  fromHex,
  type Hex,
  toHex,
} from '@mainframe/protocol'
import { Accounts, type AccountsOptions } from '../../../node/src/accounts/accounts.ts'
import type { Cash } from '../../../node/src/accounts/cash.ts'
import { ChargeMeter } from '../../../node/src/accounts/charges.ts'
import { CHARGED_SERVICES, type ChargedService, COIN } from '../../../node/src/accounts/chart.ts'
import { GasMeter } from '../../../node/src/accounts/gas-meter.ts'
import type { ChannelAccount } from '../../../node/src/payments/credit-ledger.ts'
import type { SignedAmount } from '../../../node/src/payments/signed-log.ts'
import type { StoredVoucher } from '../../../node/src/payments/voucher-log.ts'
import type { Seeded } from '../support/seeded.ts'

export const SELF: Hex = `0x${'ee'.repeat(20)}`
export const TOKEN: Hex = `0x${'aa'.repeat(20)}`
const NOTICE_SECONDS = 3_600
const UNIT = BASE_PER_UNIT

const account = (i: number): Hex => `0x${i.toString(16).padStart(40, '0')}`

/** What became of the money that is neither in a place of its own nor in one of the logs. */
interface Truth {
  wallet: bigint
  vault: bigint
  stake: bigint
  coin: bigint
  gas: bigint
  /** By service, over all channels: what packets were charged, in base units. */
  charged: Record<ChargedService, bigint>
  /** Prepaid and not spent when an epoch ended; spent and not claimed when it did. */
  retired: bigint
  lost: bigint
}

/** Chain, logs and credit of a relay that keeps accounts. */
export class Model {
  readonly channels = new Map<Hex, ChannelRow>()
  readonly earlierClaims = new Map<Hex, bigint>()
  readonly vouchers = new Map<Hex, StoredVoucher>()
  readonly signed = new Map<Hex, SignedAmount>()
  readonly truth: Truth = {
    wallet: 50_000n * UNIT,
    vault: 0n,
    stake: 1_000n * UNIT,
    coin: 10n ** 18n,
    gas: 0n,
    charged: { route: 0n, hold: 0n, onward: 0n, surplus: 0n },
    retired: 0n,
    lost: 0n,
  }
  readonly #random: Seeded
  /** In the relay's memory: gone with its process. */
  credits = new Map<Hex, ChannelAccount>()
  charges = new ChargeMeter()
  gas = new GasMeter()
  block = 1
  seconds = Date.UTC(2026, 7, 30) / 1_000

  constructor(random: Seeded) {
    this.#random = random
    for (const i of [1, 2, 3]) this.#row({ payer: account(i), payee: SELF })
    for (const i of [2, 4]) this.#row({ payer: SELF, payee: account(i) })
  }

  /** The ledger as a relay of this world keeps it. */
  keep(journal: AccountsOptions['journal'], options: Partial<AccountsOptions> = {}): Accounts {
    return new Accounts({
      journal,
      directory: { ...this.directory, confirmedBlock: 0 },
      ...this.sources,
      ledger: { creditOf: (id) => this.credits.get(id), rateOf: () => UNIT },
      charges: this.charges,
      gas: this.gas,
      cashAt: async () => this.cash,
      token: TOKEN,
      now: () => this.seconds * 1_000,
      onFailure: (error) => {
        throw error
      },
      ...options,
    })
  }

  get directory() {
    const { channels, earlierClaims } = this
    return { channels, earlierClaims }
  }

  get sources() {
    return { account: SELF, media: [TOKEN], vouchers: this.vouchers, signed: this.signed }
  }

  get cash(): Cash {
    const { wallet, vault, coin, stake } = this.truth
    return {
      media: [
        { medium: TOKEN, walletBase: wallet, vaultBase: vault },
        { medium: COIN, walletBase: coin, vaultBase: 0n },
      ],
      stakeBase: stake,
    }
  }

  /** Prepaid and not spent, over all channels. */
  get unspentBase(): bigint {
    let base = 0n
    for (const [id, { spentUnits }] of this.credits) {
      base += (this.vouchers.get(id)?.amount ?? 0n) - BigInt(spentUnits) * UNIT
    }
    return base
  }

  /** Anything that may happen to a relay, but for its end. */
  step(): void {
    const { below } = this.#random
    const pick = <T>(items: readonly T[]) => this.#random.pick(items)
    this.seconds += below(20_000)
    this.block += 1
    const rows = [...this.channels.values()]
    const incoming = rows.filter(({ payee }) => payee === SELF)
    const outgoing = rows.filter(({ payer }) => payer === SELF)
    const what: (() => void)[] = [
      () => this.#promise(pick(incoming)),
      () => this.#promise(pick(incoming)),
      () => this.#serve(pick(incoming)),
      () => this.#serve(pick(incoming)),
      () => this.#serve(pick(incoming)),
      () => this.#claim(pick(incoming)),
      () => this.#end(pick(incoming)),
      () => this.#fund(pick(outgoing)),
      () => this.#sign(pick(outgoing)),
      () => this.#pay(pick(outgoing)),
      () => this.#end(pick(outgoing)),
      () => this.#transfer(),
      () => this.#burn(),
    ]
    pick(what)()
  }

  /** One payer promises and is served. */
  trade(): void {
    const [row] = this.channels.values()
    if (!row) return
    this.#promise({ ...row, state: 'open' })
    this.#serve(row)
  }

  /** What a process holds in memory is gone; what was durable counts as spent. */
  restart(): void {
    this.credits = new Map()
    this.charges = new ChargeMeter()
    this.gas = new GasMeter()
  }

  #row({ payer, payee }: Pick<ChannelRow, 'payer' | 'payee'>): void {
    const terms: ChannelTerms = {
      payer: fromHex(payer),
      payee: fromHex(payee),
      token: fromHex(TOKEN),
      signer: fromHex(payer),
      noticeSeconds: NOTICE_SECONDS,
    }
    const id = toHex(channelId(terms))
    const deposit = payee === SELF ? 1_000n * UNIT : 0n
    this.channels.set(id, {
      channelId: id,
      payer,
      payee,
      token: TOKEN,
      signer: payer,
      noticeSeconds: NOTICE_SECONDS,
      epoch: 1,
      deposit,
      claimed: 0n,
      closesAt: 0,
      state: deposit > 0n ? 'open' : 'closed',
      updatedBlock: 1,
    })
  }

  /** A voucher comes, of any amount up to the deposit: units, and now and then a bit more. */
  #promise({ channelId: id, state, epoch, deposit, payer }: ChannelRow): void {
    if (state === 'closed') {
      this.#open(id)
      return
    }
    const known = this.vouchers.get(id)
    const before = known?.epoch === epoch ? known.amount : 0n
    const amount = before + BigInt(this.#random.below(60)) * UNIT + BigInt(this.#random.below(3))
    if (amount === before || amount > deposit) return
    const rest = { signature: new Uint8Array(64), signer: payer, noticeSeconds: NOTICE_SECONDS }
    this.vouchers.set(id, { channelId: id, epoch, amount, payer, ...rest })
    const credit = this.credits.get(id) ?? this.#credit(id, epoch, before)
    credit.durableUnits = Number(amount / UNIT)
  }

  #credit(channelId: Hex, epoch: number, before: bigint): ChannelAccount {
    const spentUnits = Number(before / UNIT)
    const charges = this.charges.chargesOf(channelId, epoch)
    const fresh = { channelId, spentUnits, durableUnits: spentUnits, charges, boundTo: undefined }
    this.credits.set(channelId, fresh)
    return fresh
  }

  /** A packet takes its postage from the credit. */
  #serve({ channelId: id }: ChannelRow): void {
    const credit = this.credits.get(id)
    const { charges, durableUnits = 0, spentUnits = 0 } = credit ?? {}
    const left = durableUnits - spentUnits
    if (!credit || !charges || left === 0) return
    for (const service of CHARGED_SERVICES) {
      const units = this.#random.below(left >> 2)
      charges[service] += units
      credit.spentUnits += units
      this.truth.charged[service] += BigInt(units) * UNIT
    }
  }

  /** All that was promised is claimed, or only an earlier voucher. */
  #claim({ channelId: id, epoch, claimed, state }: ChannelRow): void {
    const voucher = this.vouchers.get(id)
    if (!voucher || voucher.epoch !== epoch || state === 'closed') return
    const due = voucher.amount - claimed
    const paid = this.#random.below(2) === 0 ? due : due / 2n
    this.#set(id, { claimed: claimed + paid })
    this.truth.vault += paid
  }

  /** A payer leaves: the rest is his, also what he promised and nobody claimed. */
  #end({ channelId: id, state, claimed, deposit, payer, epoch }: ChannelRow): void {
    if (state === 'closed') return
    this.#set(id, { state: 'closed' })
    if (payer === SELF) this.truth.vault += deposit - claimed
    else this.#retire(id, { epoch, claimed })
  }

  #retire(id: Hex, { epoch, claimed }: Pick<ChannelRow, 'epoch' | 'claimed'>): void {
    const credit = this.credits.get(id)
    const voucher = this.vouchers.get(id)
    const promised = voucher?.epoch === epoch ? voucher.amount : 0n
    const spent = credit ? BigInt(credit.spentUnits) * UNIT : promised
    this.truth.lost += spent > claimed ? spent - claimed : 0n
    this.truth.retired += claimed > spent ? claimed - spent : 0n
    this.credits.delete(id)
  }

  #open(id: Hex): void {
    const { epoch, claimed } = this.#get(id)
    this.earlierClaims.set(id, (this.earlierClaims.get(id) ?? 0n) + claimed)
    this.#set(id, { epoch: epoch + 1, claimed: 0n, deposit: 1_000n * UNIT, state: 'open' })
  }

  /** A channel of ours is opened or topped up, from the vault as far as that goes. */
  #fund({ channelId: id, deposit, state }: ChannelRow): void {
    const amount = BigInt(1 + this.#random.below(2_000)) * UNIT
    const { truth } = this
    const fromVault = truth.vault < amount ? truth.vault : amount
    if (amount - fromVault > truth.wallet) return
    truth.vault -= fromVault
    truth.wallet -= amount - fromVault
    if (state === 'closed') {
      this.#open(id)
      this.#set(id, { deposit: amount })
    } else this.#set(id, { deposit: deposit + amount })
  }

  #sign({ channelId: id, epoch, deposit, state }: ChannelRow): void {
    if (state === 'closed') return
    const known = this.signed.get(id)
    const before = known?.epoch === epoch ? known.amount : 0n
    const amount = before + BigInt(this.#random.below(100)) * UNIT
    if (amount <= deposit) this.signed.set(id, { channelId: id, epoch, amount })
  }

  /** The payee of a channel of ours claims. */
  #pay({ channelId: id, epoch, claimed, state }: ChannelRow): void {
    const signed = this.signed.get(id)
    if (state === 'closed' || signed?.epoch !== epoch) return
    this.#set(id, { claimed: claimed + (signed.amount - claimed) / 2n })
  }

  /** Between wallet and vault, from outside, or to a cold account. */
  #transfer(): void {
    const { truth } = this
    const amount = BigInt(this.#random.below(500)) * UNIT
    const from = this.#random.pick(['wallet', 'vault', 'outside'] as const)
    const to = this.#random.pick(['wallet', 'vault', 'outside'] as const)
    if (from !== 'outside' && truth[from] < amount) return
    if (from !== 'outside') truth[from] -= amount
    if (to !== 'outside') truth[to] += amount
  }

  #burn(): void {
    const costBase = BigInt(this.#random.below(1_000_000))
    this.truth.coin -= costBase
    this.truth.gas += costBase
    this.gas.note({ blockNumber: 0, costBase })
  }

  #get(id: Hex): ChannelRow {
    const row = this.channels.get(id)
    if (!row) throw new TypeError('no such channel')
    return row
  }

  #set(id: Hex, change: Partial<ChannelRow>): void {
    this.channels.set(id, { ...this.#get(id), ...change })
  }
}
