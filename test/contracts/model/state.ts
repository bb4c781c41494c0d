import type { ClaimRow, Terms } from '../support/channels.ts'

/** Addresses and ids are lower-case hexadecimal, amounts base units, times Unix seconds. */
export interface Channel {
  readonly deposit: bigint
  readonly claimed: bigint
  readonly closesAt: bigint
  readonly epoch: number
}

/** All that the contract and its tokens remember. Keys of money: `moneyKey(token, owner)`. */
export interface State {
  readonly channels: Readonly<Record<string, Channel>>
  readonly vaults: Readonly<Record<string, bigint>>
  readonly wallets: Readonly<Record<string, bigint>>
  /** What the owner lets the channels take of a token. */
  readonly allowances: Readonly<Record<string, bigint>>
  /** The number of permits that an owner has used. */
  readonly nonces: Readonly<Record<string, bigint>>
}

export interface Permit {
  deadline: bigint
  v: number
  r: string
  s: string
}

export interface OpenRow {
  payee: string
  signer: string
  amount: bigint
  expectedEpoch: number
}

/** Rows of one payee, token and notice. */
interface Batch {
  token: string
  notice: number
  rows: ClaimRow[]
}

/** By kind, what a call says. The kinds are the functions of the channels, and three of tokens and time. */
interface Arguments {
  wait: object
  approve: { token: string; amount: bigint }
  transferAndCall: { terms: Terms; amount: bigint; garbled: boolean }
  onTransferReceived: { terms: Terms; amount: bigint }
  deposit: { token: string; amount: bigint; value: bigint }
  depositFor: { token: string; owner: string; amount: bigint; value: bigint }
  withdraw: { token: string; to: string; amount: bigint }
  open: { terms: Terms; amount: bigint; expectedEpoch: number; value: bigint }
  openWithPermit: { terms: Terms; amount: bigint; expectedEpoch: number; permit: Permit }
  openFromVault: { token: string; notice: number; rows: OpenRow[] }
  claim: Batch & { payee: string }
  claimable: Batch & { payee: string }
  claimTo: Batch & { to: string }
  closeByPayee: Batch
  closeByPayeeTo: Batch & { to: string }
  closeWithRelease: { terms: Terms; amount: bigint; r: string; vs: string }
  requestClose: { terms: Terms }
  cancelClose: { terms: Terms }
  finalize: { terms: Terms }
  finalizeTo: { terms: Terms; to: string }
}

export type Kind = keyof Arguments
/** A call of one of these kinds by `from`. */
export type ActionOf<K extends Kind> = {
  [Each in K]: { kind: Each; from: string } & Arguments[Each]
}[K]
export type Action = ActionOf<Kind>

/** A log: who emitted it, its name, its arguments in order. */
export interface Event {
  by: string
  name: string
  args: readonly unknown[]
}

/** A revert: the error's name and arguments, or `undefined` for one without data. */
export type Refusal = { name: string; args: readonly unknown[] } | undefined

/** What an action does: it changes the state, emits events and returns values, or is refused. */
export type Outcome =
  | { refused: false; state: State; events: Event[]; returned: readonly unknown[] }
  | { refused: true; error: Refusal }

export const CLOSED: Channel = { deposit: 0n, claimed: 0n, closesAt: 0n, epoch: 0 }

export const moneyKey = (token: string, owner: string) => `${token}/${owner}`
