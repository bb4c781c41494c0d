/**
 * How money gets into channels: the vault first, then the wallet, with as few transactions and
 * approvals as a token allows (docs/contracts.md).
 */
import { COIN_TOKEN, type Deployment, type Hex } from '@mainframe/protocol'
import { AbiCoder, MaxUint256 } from 'ethers'
import {
  callView,
  channelsContract,
  erc20Contract,
  TRANSFER_AND_CALL,
  tokenContract,
} from '../chain/contracts.ts'
import { type Permit, signPermit } from '../chain/permits.ts'
import type { Rpc } from '../chain/rpc.ts'
import type { TransactionSender } from '../chain/transactions.ts'

/** A channel to open or to add to. */
export interface FundingRow {
  channelId: Hex
  payee: Hex
  /** ERC-20, or zero for the chain's coin. */
  token: Hex
  noticeSeconds: number
  amountBase: bigint
  /** The epoch that a top-up must meet; 0 to open. */
  expectedEpoch: number
  /** What the channel's deposit is to be then: where it is there already, nothing is paid. Base units. */
  targetBase: bigint
}

export interface DepositsOptions {
  rpc: Rpc
  deployment: Deployment
  /** Of the payer, who signs the vouchers as well. */
  sender: TransactionSender
  /** The sender's key, for permits. */
  hotSecret: Uint8Array
}

/** What the payer has of a token, in base units. */
export interface Funds {
  vaultBase: bigint
  /** Of the chain's coin without what is kept for gas. */
  walletBase: bigint
}

/** Up to so many channels by themselves need no more transactions than a deposit for all of them. */
const MOST_SINGLES = 2
/** Kept for gas: 0.05 of the coin pay for a claim of 200 rows at 15 gwei. */
export const COIN_KEPT_BASE = 5n * 10n ** 16n

export class Deposits {
  readonly #options: DepositsOptions

  constructor(options: DepositsOptions) {
    this.#options = options
  }

  async funds(token: Hex): Promise<Funds> {
    const { rpc, deployment, sender } = this.#options
    const args = [[token], sender.account]
    const vaults = { to: deployment.channels, contract: channelsContract, method: 'vaults', args }
    const [[balances], walletBase] = await Promise.all([callView(rpc, vaults), this.#wallet(token)])
    return { vaultBase: balances[0], walletBase }
  }

  /** Whether these go one by one: the vault does not pay them, and a deposit would save nothing. */
  areSingles(rows: readonly FundingRow[], { vaultBase, walletBase }: Funds): boolean {
    const totalBase = sum(rows)
    return rows.length <= MOST_SINGLES && vaultBase < totalBase && walletBase >= totalBase
  }

  /**
   * Opens and tops up channels of one token and notice; all of them or none. There is enough in vault
   * and wallet together. Errors as `TransactionSender.send`.
   */
  async fund(token: Hex, rows: readonly FundingRow[], funds: Funds): Promise<void> {
    const [only] = rows
    if (only && rows.length === 1 && this.areSingles(rows, funds)) return await this.#fundOne(only)
    const lackingBase = sum(rows) - funds.vaultBase
    if (lackingBase > 0n) await this.#deposit(token, lackingBase)
    const { account } = this.#options.sender
    const openRows = rows.map(({ payee, amountBase: amount, expectedEpoch }) => {
      return { payee, signer: account, amount, expectedEpoch }
    })
    await this.#call('openFromVault', [token, only?.noticeSeconds, openRows])
  }

  async #fundOne(row: FundingRow): Promise<void> {
    const { payee, token, noticeSeconds: notice, amountBase, expectedEpoch } = row
    const { deployment, sender } = this.#options
    const isMft = token === deployment.token.toLowerCase()
    // a top-up needs its epoch, which `transferAndCall` has no place for
    if (isMft && expectedEpoch === 0) return await this.#transferAndCall(row)
    const args = [{ payee, token, signer: sender.account, notice }, amountBase, expectedEpoch]
    if (token === COIN_TOKEN) return await this.#call('open', args, amountBase)
    const permit = await this.#authorise(token, amountBase)
    if (permit) await this.#call('openWithPermit', [...args, permit])
    else await this.#call('open', args)
  }

  async #transferAndCall({ payee, noticeSeconds, amountBase }: FundingRow): Promise<void> {
    const { sender, deployment } = this.#options
    const terms = AbiCoder.defaultAbiCoder().encode(
      ['address', 'address', 'uint32'],
      [payee, sender.account, noticeSeconds],
    )
    const args = [deployment.channels, amountBase, terms]
    const data = tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args) as Hex
    await sender.send({ to: deployment.token, data, what: 'open' })
  }

  async #deposit(token: Hex, amountBase: bigint): Promise<void> {
    if (token === COIN_TOKEN) return await this.#call('deposit', [token, amountBase], amountBase)
    if ((await this.#allowance(token)) < amountBase) await this.#approve(token)
    await this.#call('deposit', [token, amountBase])
  }

  /** A permit, where the token takes them; otherwise sees to it that there is an allowance. */
  async #authorise(token: Hex, valueBase: bigint): Promise<Permit | undefined> {
    if ((await this.#allowance(token)) >= valueBase) return undefined
    const { rpc, deployment, hotSecret: secretKey } = this.#options
    const { chainId, channels: spender } = deployment
    const permit = await signPermit({ rpc, chainId, token, secretKey, spender, valueBase })
    if (!permit) await this.#approve(token)
    return permit
  }

  /** Without limit, once: the contract pulls only what its caller asks it to. */
  async #approve(token: Hex): Promise<void> {
    const { sender, deployment } = this.#options
    const args = [deployment.channels, MaxUint256]
    const data = erc20Contract.encodeFunctionData('approve', args) as Hex
    await sender.send({ to: token, data, what: 'approve' })
  }

  async #call(method: string, args: readonly unknown[], valueBase = 0n): Promise<void> {
    const { sender, deployment } = this.#options
    const data = channelsContract.encodeFunctionData(method, args) as Hex
    await sender.send({ to: deployment.channels, data, what: method, valueBase })
  }

  async #allowance(token: Hex): Promise<bigint> {
    const { sender, deployment } = this.#options
    return await this.#ask(token, 'allowance', [sender.account, deployment.channels])
  }

  async #wallet(token: Hex): Promise<bigint> {
    const { rpc, sender } = this.#options
    if (token !== COIN_TOKEN) return await this.#ask(token, 'balanceOf', [sender.account])
    const coin = BigInt(await rpc.request<Hex>('eth_getBalance', [sender.account, 'latest']))
    return coin > COIN_KEPT_BASE ? coin - COIN_KEPT_BASE : 0n
  }

  async #ask(token: Hex, method: string, args: readonly unknown[]): Promise<bigint> {
    const { rpc } = this.#options
    const [answer] = await callView(rpc, { to: token, contract: erc20Contract, method, args })
    return answer
  }
}

function sum(rows: readonly FundingRow[]): bigint {
  return rows.reduce((total, { amountBase }) => total + amountBase, 0n)
}
