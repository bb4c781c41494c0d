/** The account that pays: one transaction at a time, each waited for. */
import { type Hex, MainframeError } from '@mainframe/protocol'
import {
  type Signer,
  type TransactionReceipt,
  type TypedDataDomain,
  type TypedDataField,
  Wallet,
} from 'ethers'
import type { Chain } from './chain.ts'
import { chainError } from './chain-error.ts'

/** How long a transaction may take to be mined. */
const MINING_TIMEOUT_MS = 10 * 60_000

/** What to send, and what it does, for errors. */
interface Transaction {
  to: Hex
  data: string
  what: string
  /** Of the chain's coin, to go with it. */
  value?: bigint
}

export class Account {
  readonly address: Hex
  readonly #signer: Signer
  readonly #chain: Chain
  #last: Promise<unknown> = Promise.resolve()

  private constructor(address: Hex, signer: Signer, chain: Chain) {
    this.address = address
    this.#signer = signer
    this.#chain = chain
  }

  /**
   * An account of a private key in 0x-hex, or of a signer of ethers, which sends through its own
   * provider if it has one. Throws `CRYPTO_INVALID_KEY`.
   */
  static async open(chain: Chain, account: string | Signer): Promise<Account> {
    const signer = typeof account === 'string' ? walletOf(account) : account
    const connected = signer.provider ? signer : signer.connect(chain.provider)
    const address = (await connected.getAddress()).toLowerCase() as Hex
    return new Account(address, connected, chain)
  }

  /**
   * Sends a transaction after those before it and waits until it is in a block. Throws
   * `CHAIN_REJECTED`, `CHAIN_UNREACHABLE` or `PAYMENT_INSUFFICIENT`.
   */
  send(transaction: Transaction): Promise<TransactionReceipt> {
    const sent = this.#last.then(() => this.#send(transaction))
    this.#last = sent.catch(() => {}) // a failure must not stop the transactions behind it
    return sent
  }

  /** An EIP-712 signature; `undefined` from a signer that makes none. */
  async signTypedData(
    domain: TypedDataDomain,
    types: Record<string, TypedDataField[]>,
    value: Record<string, unknown>,
  ): Promise<string | undefined> {
    return await this.#signer.signTypedData(domain, types, value).catch(() => undefined)
  }

  async #send({ to, data, what, value = 0n }: Transaction) {
    try {
      const { hash } = await this.#signer.sendTransaction({ to, data, value })
      const receipt = await this.#chain.provider.waitForTransaction(hash, 1, MINING_TIMEOUT_MS)
      if (receipt?.status === 1) return receipt
    } catch (cause) {
      throw chainError(cause, what)
    }
    throw new MainframeError('CHAIN_REJECTED', `The chain reverted ${what}`, { details: { what } })
  }
}

function walletOf(privateKey: string): Wallet {
  try {
    return new Wallet(privateKey)
  } catch {
    // Not the cause: it may quote the key.
    throw new MainframeError(
      'CRYPTO_INVALID_KEY',
      'The account is not a private key: give `account` 32 bytes of 0x-hex, or a signer',
    )
  }
}
