/** One account's transactions, one after the other. */
import { errorCode, type Hex, MainframeError, type RawLog, toHex } from '@mainframe/protocol'
import { keccak256, type TransactionLike, toQuantity, Wallet } from 'ethers'
import { type MinedReceipt, parseCount, parseReceipt } from './answers.ts'
import { describeRevert, withReason } from './contracts.ts'
import { type Fees, marketFees, raisedFees } from './fees.ts'
import type { Rpc } from './rpc.ts'

/** Gas over the estimate: what a call costs may change until it is mined. In percent. */
const GAS_MARGIN_PERCENT = 125n
/** What a transaction that does nothing costs. */
const EMPTY_GAS = 21_000n
/** Transactions that are replaced in one go: more of them are not ours, or a node lies about their number. */
const MAX_REPLACED = 64
/** How often a nonce that the node calls stale is asked for anew. */
const STALE_NONCE_TRIES = 3

export interface SenderOptions {
  rpc: Rpc
  chainId: number
  /** 32 bytes, kept in memory only. */
  secretKey: Uint8Array
  /** How often to look for a receipt. Default 1 s: a public chain's block takes longer. */
  pollMs?: number
  /** After how long an unmined transaction is sent anew with a higher fee. */
  replaceAfterMs?: number
  /** Told what every mined transaction cost, the reverted ones too. */
  onMined?(cost: GasCost): void
}

/** What a transaction cost, in base units of the chain's coin. */
export interface GasCost {
  blockNumber: number
  costBase: bigint
}

/** What to send. */
export interface TransactionRequest {
  to: Hex
  data: Hex
  /** What it does, for errors: "openFromVault". */
  what: string
  /** Of the chain's coin, to go with it. */
  valueBase?: bigint
  /** Gas to allow; estimated by the node where it is not given. */
  gasLimit?: bigint
}

/** What is sent, again and again if need be. */
interface PreparedCall {
  nonce: number
  to: Hex
  data: Hex
  gasLimit: bigint
  value: bigint
}

/** What became of a transaction that succeeded. */
export interface Receipt {
  transactionHash: Hex
  blockNumber: number
  gasUsed: bigint
  logs: readonly RawLog[]
}

/**
 * Sends transactions of one account strictly one after the other, each mined before the next is
 * made, so nonces cannot collide; a failed one does not hold up those behind it. It keeps nothing on
 * disk: what an earlier run left in the pool is mined or replaced before anything new is sent.
 */
export class TransactionSender {
  readonly account: Hex
  readonly #rpc: Rpc
  readonly #chainId: number
  readonly #wallet: Wallet
  readonly #pollMs: number
  readonly #replaceAfterMs: number
  readonly #onMined: SenderOptions['onMined']
  #tail: Promise<unknown> = Promise.resolve()

  constructor(options: SenderOptions) {
    const { rpc, chainId, secretKey, pollMs = 1_000, replaceAfterMs = 90_000, onMined } = options
    this.#onMined = onMined
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
    return this.#inTurn(() => this.#send(request))
  }

  /**
   * Resolves when no transaction of this account is under way, as one of a run that was killed. Ask the
   * chain what is to be done after it: else what is mined late is done twice.
   */
  async settle(): Promise<void> {
    await this.#inTurn(() => this.#settle())
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => {})
    return turn
  }

  async #send(wanted: TransactionRequest): Promise<Receipt> {
    const { to, data, what, valueBase: value = 0n } = wanted
    const nonce = await this.#settle()
    const call = { from: this.account, to, data, value: toQuantity(value) }
    const gasLimit = wanted.gasLimit ?? (await this.#estimate(call, what))
    const receipt = await this.#untilMined({ nonce, to, data, gasLimit, value }, what)
    this.#onMined?.({
      blockNumber: receipt.blockNumber,
      costBase: receipt.gasUsed * receipt.gasPriceBase,
    })
    if (receipt.hasSucceeded) return receipt
    throw await this.#revertReason(receipt, { call, what })
  }

  async #estimate(call: object, what: string): Promise<bigint> {
    const estimate = await this.#rpc.request<Hex>('eth_estimateGas', [call]).catch((cause) => {
      throw withReason(cause, what)
    })
    const gas = BigInt(parseCount(estimate, 'the gas of a call'))
    return (gas * GAS_MARGIN_PERCENT) / 100n
  }

  /** How many transactions were mined, or are known at all. */
  async #count(block: 'latest' | 'pending'): Promise<number> {
    const params = [this.account, block]
    return parseCount(await this.#rpc.request('eth_getTransactionCount', params), 'a nonce')
  }

  /**
   * Waits for what is in the pool; what nobody mines makes way for transactions that do nothing. The
   * nonce to use next.
   */
  async #settle(): Promise<number> {
    let fees: Fees | undefined
    for (let deadline = Date.now() + this.#replaceAfterMs; ; ) {
      const [mined, known] = [await this.#count('latest'), await this.#count('pending')]
      if (known <= mined) return mined
      if (Date.now() >= deadline) {
        fees = await raisedFees(this.#rpc, fees)
        const end = Math.min(known, mined + MAX_REPLACED)
        for (let nonce = mined; nonce < end; nonce++) await this.#sendNothing(nonce, fees)
        deadline = Date.now() + this.#replaceAfterMs
      }
      await this.#rpc.pause(this.#pollMs)
    }
  }

  /** Refused as long as its fee is too low for a replacement: the next time it is higher. */
  async #sendNothing(nonce: number, fees: Fees): Promise<void> {
    const nothing = { type: 2, chainId: this.#chainId, nonce, to: this.account, ...fees }
    await this.#submit({ ...nothing, gasLimit: EMPTY_GAS }, 'replacement')
  }

  async #untilMined(
    { nonce: first, ...request }: PreparedCall,
    what: string,
  ): Promise<MinedReceipt> {
    const common = { type: 2, chainId: this.#chainId, ...request }
    let [nonce, fees] = [first, await marketFees(this.#rpc)]
    const hashes: Hex[] = []
    for (let staleNonces = 0; ; ) {
      const submitted = await this.#submit({ ...common, nonce, ...fees }, what)
      if (typeof submitted === 'string') hashes.push(submitted)
      // a replacement is refused when the original was mined meanwhile: its receipt comes below
      else if (hashes.length === 0) {
        // a node behind a load balancer may not know our last transaction yet
        if (!submitted.isNonce || ++staleNonces > STALE_NONCE_TRIES) throw submitted.failure
        await this.#rpc.pause(this.#pollMs)
        nonce = await this.#settle()
        continue
      }
      const isTaken = (await this.#count('latest')) > nonce
      const receipt = await this.#firstReceipt(hashes, Date.now() + this.#replaceAfterMs)
      if (receipt) return receipt
      if (isTaken) throw displaced(what, nonce)
      fees = await raisedFees(this.#rpc, fees)
    }
  }

  async #firstReceipt(hashes: readonly Hex[], deadline: number): Promise<MinedReceipt | undefined> {
    while (Date.now() < deadline) {
      for (const hash of hashes) {
        const receipt = parseReceipt(await this.#rpc.request('eth_getTransactionReceipt', [hash]))
        if (receipt) return receipt
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
    { transactionHash, blockNumber }: MinedReceipt,
    { call, what }: { call: object; what: string },
  ): Promise<MainframeError> {
    const before = toQuantity(blockNumber - 1)
    const failure = await this.#rpc.request('eth_call', [call, before]).catch((cause) => cause)
    const data = failure instanceof MainframeError ? failure.details['data'] : undefined
    const reason = (typeof data === 'string' && describeRevert(data as Hex)) || 'no reason given'
    return new MainframeError('CHAIN_REJECTED', `${what} reverted: ${reason}`, {
      details: { transactionHash, reason: reason.split('(')[0] },
    })
  }
}

/** Whose it was the chain's node does not say: of a run that was killed, or of somebody with our key. */
function displaced(what: string, nonce: number): MainframeError {
  const message = `Another transaction of this account took the place of ${what}; it is tried again`
  return new MainframeError('CHAIN_UNREACHABLE', message, { details: { nonce }, retryable: true })
}
