/**
 * The end of a channel by consent: what the payer asks, what the payee answers, and the Release in it
 * (PROTOCOL.md §4.3). A request has the form of a CREDIT.
 */
import { bigintToBytes, bytesToBigint, concatBytes, equalBytes, exactBytes } from '../bytes.ts'
import {
  type ChannelTerms,
  channelId,
  MAX_AMOUNT,
  recoverSigner,
  releaseDigest,
  SIGNATURE_BYTES,
  signDigest,
} from '../voucher.ts'
import { type Credit, encodeCredit } from './bodies.ts'

/** What became of a request; a signature goes with `released` only. */
export const RELEASE_OUTCOMES = [
  'released',
  'malformed',
  'unknown-channel',
  'bad-signature',
  'wrong-epoch',
  'too-low',
  'busy',
] as const
export type ReleaseOutcome = (typeof RELEASE_OUTCOMES)[number]

/** The payee's answer: the amount it ends with and its signature, or zeros and why not. */
export interface ReleaseAnswer {
  outcome: ReleaseOutcome
  /** Base units, cumulative within the epoch. */
  finalAmount: bigint
  /** EIP-2098, of the payee. */
  signature: Uint8Array
}

/** A channel whose payer wants to end it. */
export interface EndingChannel {
  terms: ChannelTerms
  epoch: number
  /** The most that was ever signed in this epoch: more is not accepted as final. Base units. */
  signedBase: bigint
  domainSeparator: Uint8Array
}

const AMOUNT_BYTES = 16
const ANSWER_BYTES = 1 + AMOUNT_BYTES + SIGNATURE_BYTES

/**
 * The body of the RELEASE that asks for a channel's end. Its signer proves by signing that the payer
 * wants it; on chain that signature is worth nothing, since only the payee's counts there.
 */
export function releaseRequest(channel: EndingChannel, signerSecretKey: Uint8Array): Uint8Array {
  const { terms, epoch, signedBase: amount } = channel
  const { payer, token, signer, noticeSeconds } = terms
  const signature = signDigest(endDigest(channel, amount), signerSecretKey)
  return encodeCredit({ payer, token, signer, noticeSeconds, epoch, amount, signature })
}

/** The digest that a request's signer signed, for the payee it was sent to. */
export function requestDigest(separator: Uint8Array, payee: Uint8Array, request: Credit) {
  const { epoch, amount, ...terms } = request
  return endDigest({ terms: { ...terms, payee }, epoch, domainSeparator: separator }, amount)
}

/** Whether an answer is the payee's consent to an end that costs no more than what was signed. */
export function isReleased(answer: ReleaseAnswer, channel: EndingChannel): boolean {
  const { outcome, finalAmount, signature } = answer
  if (outcome !== 'released' || finalAmount > channel.signedBase) return false
  const signer = recoverSigner(endDigest(channel, finalAmount), signature)
  return signer !== undefined && equalBytes(signer, channel.terms.payee)
}

export function encodeReleaseAnswer({ outcome, finalAmount, signature }: ReleaseAnswer) {
  return concatBytes(
    Uint8Array.of(RELEASE_OUTCOMES.indexOf(outcome)),
    bigintToBytes(finalAmount, AMOUNT_BYTES),
    exactBytes(signature, SIGNATURE_BYTES),
  )
}

/** Takes a whole body or one cut after its last field; never throws. */
export function decodeReleaseAnswer(body: Uint8Array): ReleaseAnswer | undefined {
  if (body.length < ANSWER_BYTES) return undefined
  const outcome = RELEASE_OUTCOMES[body[0] ?? 0]
  const finalAmount = bytesToBigint(body.subarray(1, 1 + AMOUNT_BYTES))
  if (!outcome || finalAmount > MAX_AMOUNT) return undefined
  return { outcome, finalAmount, signature: body.slice(1 + AMOUNT_BYTES, ANSWER_BYTES) }
}

function endDigest(
  { terms, epoch, domainSeparator }: Omit<EndingChannel, 'signedBase'>,
  finalAmount: bigint,
): Uint8Array {
  return releaseDigest(domainSeparator, { channelId: channelId(terms), epoch, finalAmount })
}
