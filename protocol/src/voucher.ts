/** Channel ids and cumulative vouchers, as PaymentChannels.sol computes them (PROTOCOL.md §4). */

import { primitives } from '#primitives'
import { bigintToBytes, concatBytes, exactBytes, utf8, viewOf } from './bytes.ts'
import { MainframeError } from './errors.ts'

/** What identifies a channel; nothing of it is stored on chain, its hash is the id. */
export interface ChannelTerms {
  /** 20-byte accounts. */
  payer: Uint8Array
  payee: Uint8Array
  /** ERC20 contract, or 20 zero bytes for the chain's coin. */
  token: Uint8Array
  /** Hot key that signs vouchers. */
  signer: Uint8Array
  /** Seconds between requestClose and finalize. */
  noticeSeconds: number
}

/** The EIP-712 domain of a deployment. */
export interface ChannelsDomain {
  chainId: bigint
  /** 20-byte address of PaymentChannels. */
  contract: Uint8Array
}

/** A cumulative promise: "of this channel's epoch, `amount` base units are the payee's". */
export interface Voucher {
  channelId: Uint8Array
  epoch: number
  /** Base units, cumulative within the epoch, below 2^96. */
  amount: bigint
}

/** A payee's consent: "close this channel's epoch now, with `finalAmount` base units for me in all". */
export interface Release {
  channelId: Uint8Array
  epoch: number
  /** Base units, cumulative within the epoch, below 2^96. */
  finalAmount: bigint
}

export const MAX_AMOUNT = (1n << 96n) - 1n
export const SIGNATURE_BYTES = 64

const { keccak256 } = primitives
const word = (value: bigint) => bigintToBytes(value, 32)
const addressWord = (account: Uint8Array) =>
  concatBytes(new Uint8Array(12), exactBytes(account, 20))

const DOMAIN_TYPE = keccak256(
  utf8('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)'),
)
const VOUCHER_TYPE = keccak256(utf8('Voucher(bytes32 channelId,uint24 epoch,uint96 amount)'))
const RELEASE_TYPE = keccak256(utf8('Release(bytes32 channelId,uint24 epoch,uint96 finalAmount)'))
const NAME = keccak256(utf8('Mainframe PaymentChannels'))
const VERSION = keccak256(utf8('1'))

/** keccak256(abi.encode(payer, payee, token, signer, notice)). */
export function channelId(terms: ChannelTerms): Uint8Array {
  return keccak256(
    concatBytes(
      addressWord(terms.payer),
      addressWord(terms.payee),
      addressWord(terms.token),
      addressWord(terms.signer),
      word(BigInt(terms.noticeSeconds)),
    ),
  )
}

/** The EIP-712 domain separator; compute it once per deployment. */
export function domainSeparator({ chainId, contract }: ChannelsDomain): Uint8Array {
  return keccak256(concatBytes(DOMAIN_TYPE, NAME, VERSION, word(chainId), addressWord(contract)))
}

/** The 32-byte digest that the channel's signer signs. */
export function voucherDigest(separator: Uint8Array, voucher: Voucher): Uint8Array {
  return typedDigest(separator, VOUCHER_TYPE, { ...voucher, total: voucher.amount })
}

/** The 32-byte digest that the payee signs to let the payer close at once. */
export function releaseDigest(separator: Uint8Array, release: Release): Uint8Array {
  return typedDigest(separator, RELEASE_TYPE, { ...release, total: release.finalAmount })
}

/** What the two hashes of a digest read, reused: a relay computes one for every voucher. */
const structInput = new Uint8Array(4 * 32)
const structView = viewOf(structInput)
const digestInput = new Uint8Array(2 + 2 * 32)
digestInput.set([0x19, 0x01])

/** EIP-712's digest of a channel, an epoch and an amount, which both structs consist of. */
function typedDigest(
  separator: Uint8Array,
  type: Uint8Array,
  { channelId, epoch, total }: { channelId: Uint8Array; epoch: number; total: bigint },
): Uint8Array {
  if (total < 0n || total > MAX_AMOUNT) {
    throw new MainframeError('CODEC_INVALID', 'An amount is below 2^96 base units')
  }
  structInput.set(type)
  structInput.set(exactBytes(channelId, 32), 32)
  structView.setUint32(3 * 32 - 4, epoch)
  structView.setBigUint64(4 * 32 - 16, total >> 64n)
  structView.setBigUint64(4 * 32 - 8, total) // its lower 64 bits
  digestInput.set(exactBytes(separator, 32), 2)
  digestInput.set(keccak256(structInput), 34)
  return keccak256(digestInput)
}

/** 64-byte compact signature (EIP-2098): r, then s with the recovery bit on top; s is low. */
export function signDigest(digest: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const { signature, recovery } = primitives.secp256k1Sign(digest, secretKey)
  const compact = Uint8Array.from(signature)
  compact[32] = (compact[32] ?? 0) | (recovery << 7)
  return compact
}

/** The 20-byte account that signed a digest, or `undefined`. Never throws. */
export function recoverSigner(digest: Uint8Array, signature: Uint8Array): Uint8Array | undefined {
  if (signature.length !== SIGNATURE_BYTES) return undefined
  const [first = 0] = signature.subarray(32)
  const plain = Uint8Array.from(signature)
  plain[32] = first & 0x7f
  const publicKey = primitives.secp256k1Recover(digest, plain, first >> 7 ? 1 : 0)
  return publicKey && publicKeyAccount(publicKey)
}

/** The 20-byte account of an uncompressed (65-byte) secp256k1 public key. */
export function publicKeyAccount(publicKey: Uint8Array): Uint8Array {
  return keccak256(publicKey.subarray(1)).slice(12)
}

/** The 20-byte account of a 32-byte secret key. */
export function secretKeyAccount(secretKey: Uint8Array): Uint8Array {
  return publicKeyAccount(primitives.secp256k1PublicKey(secretKey))
}
