/** A state in the making, and the ledgers beneath the channels: vaults, wallets, allowances, permits. */
import type { Terms } from '../support/channels.ts'
import type { Channel, Event, Permit, Refusal, State } from './state.ts'
import { CLOSED, moneyKey } from './state.ts'

/** 64 bytes as in EIP-2098. */
export interface Signature {
  r: string
  vs: string
}

/** What never changes, and the cryptography that the reference does not repeat. */
export interface Facts {
  /** Of the payment channels. */
  address: string
  mft: string
  coin: string
  /** By token, how many hundredths of a transfer it keeps, and who gets them. */
  fees: Readonly<Record<string, { percent: bigint; to: string }>>
  /** Recipients who take no coin. */
  rejecting: ReadonlySet<string>
  /** Seconds. */
  minimumNotice: number
  maximumNotice: number
  idOf(payer: string, terms: Terms): string
  /** Who signed; the zero address for nobody, and for a signature with a high s. */
  voucherSigner(id: string, epoch: number, amount: bigint, signature: Signature): string
  releaseSigner(id: string, epoch: number, amount: bigint, signature: Signature): string
  permitSigner(message: PermitMessage, permit: Permit): string
}

export interface PermitMessage {
  owner: string
  value: bigint
  nonce: bigint
  deadline: bigint
}

const INFINITE = 2n ** 256n - 1n

/** Ends a step without effect. */
export class Refused extends Error {
  readonly refusal: Refusal
  constructor(refusal: Refusal) {
    super(refusal?.name ?? 'no data')
    this.refusal = refusal
  }
}

/** One step's copy of the state; it lives until the step is done or refused. */
export class Draft {
  readonly facts: Facts
  readonly time: bigint
  readonly events: Event[] = []
  readonly #channels: Record<string, Channel>
  readonly #vaults: Record<string, bigint>
  readonly #wallets: Record<string, bigint>
  readonly #allowances: Record<string, bigint>
  readonly #nonces: Record<string, bigint>

  constructor(facts: Facts, state: State, time: bigint) {
    this.facts = facts
    this.time = time
    this.#channels = { ...state.channels }
    this.#vaults = { ...state.vaults }
    this.#wallets = { ...state.wallets }
    this.#allowances = { ...state.allowances }
    this.#nonces = { ...state.nonces }
  }

  finished(): State {
    return {
      channels: this.#channels,
      vaults: this.#vaults,
      wallets: this.#wallets,
      allowances: this.#allowances,
      nonces: this.#nonces,
    }
  }

  /** An event of the channels. */
  emit(name: string, ...args: unknown[]): void {
    this.events.push({ by: this.facts.address, name, args })
  }

  channel(id: string): Channel {
    return this.#channels[id] ?? CLOSED
  }

  setChannel(id: string, channel: Channel): void {
    this.#channels[id] = channel
  }

  vault(token: string, owner: string): bigint {
    return this.#vaults[moneyKey(token, owner)] ?? 0n
  }

  credit(token: string, owner: string, amount: bigint): void {
    this.#vaults[moneyKey(token, owner)] = this.vault(token, owner) + amount
  }

  debit(token: string, owner: string, amount: bigint): void {
    const balance = this.vault(token, owner)
    if (balance < amount) {
      throw new Refused({ name: 'ChannelsInsufficientVault', args: [balance, amount] })
    }
    this.#vaults[moneyKey(token, owner)] = balance - amount
  }

  approve(token: string, owner: string, amount: bigint): void {
    this.#allowances[moneyKey(token, owner)] = amount
    this.events.push({ by: token, name: 'Approval', args: [owner, this.facts.address, amount] })
  }

  /** Uses a permit if it is good, and does nothing if not. Only MFT knows permits. */
  usePermit(token: string, owner: string, value: bigint, permit: Permit): void {
    const nonce = this.#nonces[owner] ?? 0n
    const { deadline } = permit
    if (token !== this.facts.mft || this.time > deadline) return
    if (this.facts.permitSigner({ owner, value, nonce, deadline }, permit) !== owner) return
    this.#nonces[owner] = nonce + 1n
    this.approve(token, owner, value)
  }

  /** Takes `amount` from `from`'s wallet, and says what arrived. */
  pull(token: string, from: string, amount: bigint, value: bigint): bigint {
    const { coin, address } = this.facts
    const needed = token === coin ? amount : 0n
    if (value !== needed) throw new Refused({ name: 'ChannelsWrongValue', args: [value, needed] })
    const before = this.wallet(token, address)
    if (token !== coin) this.#spendAllowance(token, from, amount)
    this.move(token, from, address, amount)
    return this.wallet(token, address) - before
  }

  /** Pays out of the contract; nothing is no payment. */
  pay(token: string, to: string, amount: bigint): void {
    if (amount === 0n) return
    const { coin, address, rejecting } = this.facts
    if (token === coin && rejecting.has(to)) {
      throw new Refused({ name: 'ChannelsCoinRefused', args: [to, amount] })
    }
    this.move(token, address, to, amount)
  }

  /** A transfer, less the token's fee, which it takes first. */
  move(token: string, from: string, to: string, amount: bigint): void {
    const fee = this.facts.fees[token]
    const kept = fee === undefined ? 0n : (amount * fee.percent) / 100n
    if (fee !== undefined) this.#moveAll(token, from, fee.to, kept)
    this.#moveAll(token, from, to, amount - kept)
  }

  #moveAll(token: string, from: string, to: string, amount: bigint): void {
    const held = this.wallet(token, from)
    if (held < amount) {
      throw new Refused({ name: 'ERC20InsufficientBalance', args: [from, held, amount] })
    }
    this.#wallets[moneyKey(token, from)] = held - amount
    this.#wallets[moneyKey(token, to)] = this.wallet(token, to) + amount
    if (token !== this.facts.coin) {
      this.events.push({ by: token, name: 'Transfer', args: [from, to, amount] })
    }
  }

  wallet(token: string, owner: string): bigint {
    return this.#wallets[moneyKey(token, owner)] ?? 0n
  }

  #spendAllowance(token: string, owner: string, amount: bigint): void {
    const allowance = this.#allowances[moneyKey(token, owner)] ?? 0n
    if (allowance === INFINITE) return
    if (allowance < amount) {
      const args = [this.facts.address, allowance, amount]
      throw new Refused({ name: 'ERC20InsufficientAllowance', args })
    }
    this.#allowances[moneyKey(token, owner)] = allowance - amount
  }
}
