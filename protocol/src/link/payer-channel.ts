/** The channel that a link pays from, and the vouchers on it (PROTOCOL.md §4). */
import { type ChannelTerms, signDigest, voucherDigest } from '../voucher.ts'
import { encodeCredit } from './bodies.ts'

/** The channel that pays for a link, with what was signed on it so far. */
export interface PayerChannel {
  terms: ChannelTerms
  channelId: Uint8Array
  epoch: number
  depositBase: bigint
  /** The largest amount ever signed for this epoch, as recorded durably. */
  signedBase: bigint
  /** Base units per unit, from the relay's quote. */
  baseUnitsPerUnit: bigint
  /**
   * Prepaid and unspent at most, in units. Somewhat below the relay's maximum: the first voucher of
   * each link adds one unit, to learn the totals.
   */
  windowUnits: number
  /** EIP-712 domain separator of the deployment. */
  domainSeparator: Uint8Array
  signerSecretKey: Uint8Array
  /** Makes the next amount durable; called before the voucher that carries it leaves. */
  record(amountBase: bigint): Promise<void>
}

/** The body of the CREDIT that promises `amount` on a channel. */
export function voucherBody(channel: PayerChannel, amount: bigint): Uint8Array {
  const { terms, channelId, epoch, domainSeparator, signerSecretKey } = channel
  const digest = voucherDigest(domainSeparator, { channelId, epoch, amount })
  const { payer, token, signer, noticeSeconds } = terms
  const signature = signDigest(digest, signerSecretKey)
  return encodeCredit({ payer, token, signer, noticeSeconds, epoch, amount, signature })
}
