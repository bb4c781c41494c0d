/** Signatures of every sort. Each is made, and looked through, once: a run of the model needs some ten thousand. */
import {
  domainSeparator,
  fromHex,
  publicKeyAccount,
  secretKeyAccount,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { AbiCoder, concat, id as hashText, keccak256 } from 'ethers'
import secp256k1 from 'secp256k1'
import type { PermitMessage, Signature } from './draft.ts'

const coder = AbiCoder.defaultAbiCoder()
const ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
const S_BITS = (1n << 255n) - 1n
const NOBODY = '0x0000000000000000000000000000000000000000'
const RELEASE_TYPE = hashText('Release(bytes32 channelId,uint24 epoch,uint96 finalAmount)')
const PERMIT_TYPE = hashText(
  'Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)',
)

const secretOf = (name: string): Uint8Array => fromHex(hashText(`model/${name}`))

const accounts = new Map<string, string>()

/** The account of a name's key. */
export function accountOf(name: string): string {
  const account = accounts.get(name) ?? toHex(secretKeyAccount(secretOf(name)))
  accounts.set(name, account)
  return account
}

/** Digests of one deployment. */
export class Digests {
  readonly #separator: Uint8Array
  readonly #tokenSeparator: string
  readonly #spender: string

  /** @param tokenSeparator The EIP-712 domain separator of MFT. */
  constructor(deployment: { chainId: bigint; address: string; tokenSeparator: string }) {
    const { chainId, address } = deployment
    this.#separator = domainSeparator({ chainId, contract: fromHex(address) })
    this.#tokenSeparator = deployment.tokenSeparator
    this.#spender = address
  }

  voucher(id: string, epoch: number, amount: bigint): string {
    return toHex(voucherDigest(this.#separator, { channelId: fromHex(id), epoch, amount }))
  }

  release(id: string, epoch: number, finalAmount: bigint): string {
    const types = ['bytes32', 'bytes32', 'uint24', 'uint96']
    return typed(toHex(this.#separator), types, [RELEASE_TYPE, id, epoch, finalAmount])
  }

  permit({ owner, value, nonce, deadline }: PermitMessage): string {
    const types = ['bytes32', 'address', 'address', 'uint256', 'uint256', 'uint256']
    const message = [PERMIT_TYPE, owner, this.#spender, value, nonce, deadline]
    return typed(this.#tokenSeparator, types, message)
  }
}

function typed(separator: string, types: string[], values: unknown[]): string {
  return keccak256(concat(['0x1901', separator, keccak256(coder.encode(types, values))]))
}

const made = new Map<string, Signature>()
const seen = new Map<string, string>()
/** Entries after which a memory starts anew. */
const KEPT = 20_000

function remember<T>(memory: Map<string, T>, key: string, value: T): T {
  if (memory.size >= KEPT) memory.clear()
  memory.set(key, value)
  return value
}

/** A name's signature of a digest. */
export function sign(name: string, digest: string): Signature {
  const key = `${name} ${digest}`
  const known = made.get(key)
  if (known !== undefined) return known
  const { signature: compact, recid } = secp256k1.ecdsaSign(fromHex(digest), secretOf(name))
  compact[32] = (compact[32] ?? 0) | (recid << 7)
  const signature = { r: toHex(compact.subarray(0, 32)), vs: toHex(compact.subarray(32)) }
  remember(seen, `${digest} ${signature.r} ${signature.vs}`, accountOf(name))
  return remember(made, key, signature)
}

/** Who signed a digest; the zero address for nobody, and for the twin of a signature, whose s is high. */
export function signerOf(digest: string, { r, vs }: Signature): string {
  const key = `${digest} ${r} ${vs}`
  const known = seen.get(key)
  if (known !== undefined) return known
  return remember(seen, key, recovered(digest, r, BigInt(vs)))
}

function recovered(digest: string, r: string, vs: bigint): string {
  const s = vs & S_BITS
  if (s > ORDER / 2n) return NOBODY
  const compact = fromHex(r + s.toString(16).padStart(64, '0'))
  try {
    const key = secp256k1.ecdsaRecover(compact, Number(vs >> 255n), fromHex(digest), false)
    return toHex(publicKeyAccount(key))
  } catch {
    return NOBODY // r or s is zero or too large, or there is no such point
  }
}

/** The twin of a signature: n - s with the other parity, as far as it fits. */
export function malleated({ r, vs }: Signature): Signature {
  const s = ORDER - (BigInt(vs) & S_BITS)
  const parity = 1n - (BigInt(vs) >> 255n)
  return { r, vs: `0x${((parity << 255n) | (s & S_BITS)).toString(16).padStart(64, '0')}` }
}

/** A permit has its signature in three parts. */
export function parts({ r, vs }: Signature): { v: number; r: string; s: string } {
  const s = BigInt(vs) & S_BITS
  return {
    v: 27 + Number(BigInt(vs) >> 255n),
    r,
    s: `0x${s.toString(16).padStart(64, '0')}`,
  }
}

/** The other way round. */
export function compacted({ v, r, s }: { v: number; r: string; s: string }): Signature {
  const vs = (BigInt(v - 27) << 255n) | BigInt(s)
  return { r, vs: `0x${vs.toString(16).padStart(64, '0')}` }
}
