/** One account's transactions, one after the other. */
import { errorCode, type Hex, MainframeError, type RawLog, toHex } from '@mainframe/protocol'
import { keccak256, type TransactionLike, toQuantity, Wallet } from 'ethers'
import { describeRevert, withReason } from './contracts.ts'
import type { Rpc } from './rpc.ts'

/** Gas over the estimate: what a call costs may change until it is mined. In percent. */
const GAS_MARGIN_PERCENT = 125n
/** Tip where the node has no opinion, in base units of the chain's coin. */
const DEFAULT_TIP = 1_000_000_000n
/** How much a transaction that nobody mines is raised; nodes refuse a replacement below +10 %. */
const REPLACEMENT_PERCENT = 130n
/** What a transaction that does nothing costs. */
const EMPTY_GAS = 21_000n
/** How often a nonce that the node calls stale is asked for anew. */
const STALE_NONCE_TRIES = 3
/** Fees follow the market up to this: a node that lies about fees must not drain the account. */
const MAX_FEE_PER_GAS = 2_000n * 10n ** 9n

export interface SenderOptions {
  rpc: Rpc
  chainId: number
  /** 32 bytes, kept in memory only. */
  secretKey: Uint8Array
  /** How often to look for a receipt. Default 1 s: a public chain's block takes longer. */
  pollMs?: number
  /** After how long an unmined transaction is sent anew with a higher fee. */
  replaceAfterMs?: number
}

/** What to send. */
export interface TransactionRequest {
  to: Hex
  data: Hex
  /** What it does, for errors: "openFromVault". */
  what: string
  /** Of the chain's coin, to go with it. */
  valueBase?: bigint
}

/** What became of a transaction that succeeded. */
export interface Receipt {
  transactionHash: Hex
  blockNumber: number
  gasUsed: bigint
  logs: readonly RawLog[]
}

interface RawReceipt {
  transactionHash: Hex
  blockNumber: Hex | null
  gasUsed: Hex
  status: Hex
  logs: readonly RawLog[]
}

interface Fees {
  maxFeePerGas: bigint
  maxPriorityFeePerGas: bigint
}

/**
 * Sends transactions of one account strictly one after the other, each mined before the next is
 * made, so nonces cannot collide; a failed one does not hold up those behind it.
 */
export class TransactionSender {
  readonly account: Hex
  readonly #rpc: Rpc
  readonly #chainId: number
  readonly #wallet: Wallet
  readonly #pollMs: number
  readonly #replaceAfterMs: number
  #tail: Promise<unknown> = Promise.resolve()

  constructor({ rpc, chainId, secretKey, pollMs = 1_000, replaceAfterMs = 90_000 }: SenderOptions) {
    this.#rpc = rpc
    this.#chainId = chainId
    this.#wallet = new Wallet(toHex(secretKey))
    this.#pollMs = pollMs
    this.#replaceAfterMs = replaceAfterMs
    this.account = this.#wallet.address.toLowerCase() as Hex
  }

  /**
   * Resolves when the transaction is mined and has succeeded. Rejects with `CHAIN_REJECTED` naming
   * the contract's error, `CHAIN_UNREACHABLE`, or `NETWORK_CLOSED` when the relay stops meanwhile
   * (the transaction may be mined nevertheless).
   */
  send(request: TransactionRequest): Promise<Receipt> {
    const turn = this.#tail.then(() => this.#send(request))
    this.#tail = turn.catch(() => {})
    return turn
  }

  async #send({ to, data, what, valueBase = 0n }: TransactionRequest): Promise<Receipt> {
    const call = { from: this.account, to, data, value: toQuantity(valueBase) }
    const estimate = await this.#rpc.request<Hex>('eth_estimateGas', [call]).catch((cause) => {
      throw withReason(cause, what)
    })
    const gasLimit = (BigInt(estimate) * GAS_MARGIN_PERCENT) / 100n
    const receipt = await this.#untilMined({ to, data, gasLimit, value: valueBase }, what)
    if (BigInt(receipt.status) !== 1n) throw await this.#revertReason(receipt, { call, what })
    return {
      transactionHash: receipt.transactionHash,
      blockNumber: Number(receipt.blockNumber),
      gasUsed: BigInt(receipt.gasUsed),
      logs: receipt.logs,
    }
  }

  /** Behind what an earlier run of this relay may have left in the pool. */
  async #nonce(): Promise<number> {
    return Number(
      await this.#rpc.request<Hex>('eth_getTransactionCount', [this.account, 'pending']),
    )
  }

  async #fees(): Promise<Fees> {
    const [block, tip] = await Promise.all([
      this.#rpc.request<{ baseFeePerGas?: Hex }>('eth_getBlockByNumber', ['latest', false]),
      this.#rpc.request<Hex>('eth_maxPriorityFeePerGas').then(BigInt, () => DEFAULT_TIP),
    ])
    // twice the base fee lasts for at least five full blocks of rises
    return capFees({
      maxFeePerGas: 2n * BigInt(block.baseFeePerGas ?? 0) + tip,
      maxPriorityFeePerGas: tip,
    })
  }

  async #untilMined(
    request: { to: Hex; data: Hex; gasLimit: bigint; value: bigint },
    what: string,
  ): Promise<RawReceipt> {
    const common = { type: 2, chainId: this.#chainId, ...request }
    let [nonce, fees] = await Promise.all([this.#nonce(), this.#fees()])
    const hashes: Hex[] = []
    for (let staleNonces = 0; ; ) {
      const submitted = await this.#submit({ ...common, nonce, ...fees }, what)
      if (typeof submitted === 'string') hashes.push(submitted)
      // a replacement is refused when the original was mined meanwhile: its receipt comes below
      else if (hashes.length === 0) {
        // a node behind a load balancer may not know our last transaction yet
        if (!submitted.isNonce || ++staleNonces > STALE_NONCE_TRIES) throw submitted.failure
        await this.#rpc.pause(this.#pollMs)
        nonce = await this.#nonce()
        continue
      }
      const receipt = await this.#firstReceipt(hashes, Date.now() + this.#replaceAfterMs)
      if (receipt) return receipt
      fees = capFees({
        maxFeePerGas: (fees.maxFeePerGas * REPLACEMENT_PERCENT) / 100n,
        maxPriorityFeePerGas: (fees.maxPriorityFeePerGas * REPLACEMENT_PERCENT) / 100n,
      })
      await this.#unblock(nonce, fees)
    }
  }

  /** What an earlier run left and nobody mines holds up all behind it: nothing takes its place. */
  async #unblock(nonce: number, fees: Fees): Promise<void> {
    const mined = await this.#rpc.request<Hex>('eth_getTransactionCount', [this.account, 'latest'])
    if (Number(mined) >= nonce) return
    const chainId = this.#chainId
    const nothing = { type: 2, chainId, nonce: Number(mined), to: this.account, ...fees }
    // refused as long as its fee is too low for a replacement: the next time it is higher
    await this.#submit({ ...nothing, gasLimit: EMPTY_GAS }, 'replacement')
  }

  async #firstReceipt(hashes: readonly Hex[], deadline: number): Promise<RawReceipt | undefined> {
    while (Date.now() < deadline) {
      for (const hash of hashes) {
        const receipt = await this.#rpc.request<RawReceipt | null>('eth_getTransactionReceipt', [
          hash,
        ])
        if (receipt?.blockNumber) return receipt
      }
      await this.#rpc.pause(this.#pollMs)
    }
    return undefined
  }

  /** The transaction's hash, or why the node did not take it. */
  async #submit(
    transaction: TransactionLike,
    what: string,
  ): Promise<Hex | { failure: unknown; isNonce: boolean }> {
    const { signed, hash } = await this.#sign(transaction)
    try {
      await this.#rpc.request('eth_sendRawTransaction', [signed])
      return hash
    } catch (cause) {
      if (errorCode(cause) !== 'CHAIN_REJECTED') throw cause
      // a request that was repeated because its answer got lost meets its own first try
      if (await this.#isKnown(hash)) return hash
      return { failure: withReason(cause, what), isNonce: /nonce/i.test(String(cause)) }
    }
  }

  async #sign(transaction: TransactionLike): Promise<{ signed: Hex; hash: Hex }> {
    const signed = (await this.#wallet.signTransaction(transaction)) as Hex
    return { signed, hash: keccak256(signed) as Hex }
  }

  async #isKnown(hash: Hex): Promise<boolean> {
    return (await this.#rpc.request('eth_getTransactionByHash', [hash])) !== null
  }

  /** A receipt carries no reason; the same call on the state before it usually gives it. */
  async #revertReason(
    { transactionHash, blockNumber }: RawReceipt,
    { call, what }: { call: object; what: string },
  ): Promise<MainframeError> {
    const before = toQuantity(Number(blockNumber) - 1)
    const failure = await this.#rpc.request('eth_call', [call, before]).catch((cause) => cause)
    const data = failure instanceof MainframeError ? failure.details['data'] : undefined
    const reason = (typeof data === 'string' && describeRevert(data as Hex)) || 'no reason given'
    return new MainframeError('CHAIN_REJECTED', `${what} reverted: ${reason}`, {
      details: { transactionHash, reason: reason.split('(')[0] },
    })
  }
}

function capFees({ maxFeePerGas, maxPriorityFeePerGas }: Fees): Fees {
  const least = (a: bigint, b: bigint) => (a < b ? a : b)
  return {
    maxFeePerGas: least(maxFeePerGas, MAX_FEE_PER_GAS),
    maxPriorityFeePerGas: least(maxPriorityFeePerGas, least(maxFeePerGas, MAX_FEE_PER_GAS)),
  }
}
