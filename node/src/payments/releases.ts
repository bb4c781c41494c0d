/** Letting payers go: the end of a channel by consent (PROTOCOL.md §4.3). */
import {
  type ChannelRow,
  type ChannelsDomain,
  type Credit,
  channelId,
  domainSeparator,
  fromHex,
  type Hex,
  type ReleaseAnswer,
  type ReleaseOutcome,
  releaseDigest,
  requestDigest,
  SIGNATURE_BYTES,
  signDigest,
  toHex,
} from '@mainframe/protocol'
import type { Directory } from '../chain/directory.ts'
import type { CreditLedger } from './credit-ledger.ts'
import { SignatureQueue } from './signatures.ts'
import type { SignedLog } from './signed-log.ts'

export interface ReleasesOptions {
  directory: Pick<Directory, 'channels'>
  ledger: Pick<CreditLedger, 'acceptedBase' | 'endEpoch'>
  /** The epochs that were ended; the ledger reads it too. */
  released: Pick<SignedLog, 'put'>
  /** Account that channels must name as payee, and its key. */
  payee: Hex
  payeeSecret: Uint8Array
  domain: ChannelsDomain
}

/** Requests that may wait for their signatures to be checked. */
const MAX_PENDING = 128

export class Releases {
  readonly #options: ReleasesOptions
  readonly #payee: Uint8Array
  readonly #separator: Uint8Array
  readonly #queue = new SignatureQueue(MAX_PENDING)

  constructor(options: ReleasesOptions) {
    this.#options = options
    this.#payee = fromHex(options.payee, 20)
    this.#separator = domainSeparator(options.domain)
  }

  /**
   * Ends a channel's epoch and answers the signed Release. The end is durable before it is signed, and
   * from the moment it is decided no voucher is taken, so what is released is all that is owed. A
   * request that comes again gets the same answer. Rejects with `STORE_FAILED` when the disk refuses.
   */
  async ask(request: Credit): Promise<ReleaseAnswer> {
    const early = this.#judge(request)
    if (typeof early === 'string') return refusal(early)
    const { signer, signature, epoch } = request
    const digest = requestDigest(this.#separator, this.#payee, request)
    const isSigned = await this.#queue.check({ digest, signature, signer: { account: signer } })
    if (isSigned === undefined) return refusal('busy')
    if (!isSigned) return refusal('bad-signature')
    const row = this.#judge(request) // chain and vouchers went on meanwhile
    if (typeof row === 'string') return refusal(row)
    const finalAmount = this.#options.ledger.endEpoch(row)
    await this.#options.released.put({ channelId: row.channelId, epoch, amount: finalAmount })
    const release = { channelId: fromHex(row.channelId), epoch, finalAmount }
    const consent = releaseDigest(this.#separator, release)
    const { payeeSecret } = this.#options
    return { outcome: 'released', finalAmount, signature: signDigest(consent, payeeSecret) }
  }

  /** The channel to end, or why not; all but the signature. One that is closing is let go as well. */
  #judge({ epoch, amount, ...terms }: Credit): ChannelRow | Exclude<ReleaseOutcome, 'released'> {
    const { directory, ledger } = this.#options
    const row = directory.channels.get(toHex(channelId({ ...terms, payee: this.#payee })))
    if (!row || row.state === 'closed') return 'unknown-channel'
    if (epoch !== row.epoch) return 'wrong-epoch'
    return amount < ledger.acceptedBase(row) ? 'too-low' : row
  }
}

function refusal(outcome: Exclude<ReleaseOutcome, 'released'>): ReleaseAnswer {
  return { outcome, finalAmount: 0n, signature: new Uint8Array(SIGNATURE_BYTES) }
}
