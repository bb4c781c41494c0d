/** Checking voucher signatures exactly as the contract does, at native speed (PROTOCOL.md §4). */
import { setImmediate } from 'node:timers/promises'
import { equalBytes, publicKeyAccount, SIGNATURE_BYTES } from '@mainframe/protocol'
import secp256k1 from 'secp256k1'

/** Half the order of secp256k1: the contract refuses a greater s. */
const HALF_ORDER = Uint8Array.from(
  Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex'),
)
/** Checks between two turns of the event loop: about a millisecond. */
const CHECKS_PER_TURN = 8
/** Public keys remembered: comparing one is quicker than hashing it. */
const MAX_CACHED_KEYS = 10_000

/** A digest and the 64-byte compact signature (EIP-2098) that `signer` is said to have made. */
export interface SignatureCheck {
  digest: Uint8Array
  signature: Uint8Array
  /** 20-byte account. */
  signer: Uint8Array
}

/**
 * Whether the contract would recover `signer`. The key is recovered, not verified against: a
 * signature with the wrong recovery bit verifies, and then cannot be claimed. `keys` caches
 * public keys by account.
 */
function isSignedBy(
  { digest, signature, signer }: SignatureCheck,
  keys: Map<string, Uint8Array>,
): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  const compact = Uint8Array.from(signature)
  const recovery = (compact[32] ?? 0) >> 7
  compact[32] = (compact[32] ?? 0) & 0x7f
  if (Buffer.compare(compact.subarray(32), HALF_ORDER) > 0) return false
  try {
    const publicKey = secp256k1.ecdsaRecover(compact, recovery, digest, false)
    const name = Buffer.from(signer).toString('hex')
    const known = keys.get(name)
    if (known) return equalBytes(known, publicKey)
    if (!equalBytes(publicKeyAccount(publicKey), signer)) return false
    remember(keys, name, publicKey)
    return true
  } catch {
    return false // r or s out of range, or no point of the curve
  }
}

function remember(keys: Map<string, Uint8Array>, name: string, publicKey: Uint8Array): void {
  const [oldest] = keys.keys()
  if (keys.size >= MAX_CACHED_KEYS && oldest !== undefined) keys.delete(oldest)
  keys.set(name, publicKey)
}

/** Signs a digest at native speed: 64 bytes (EIP-2098), the same that `signDigest` gives. */
export function signCompact(digest: Uint8Array, secretKey: Uint8Array): Uint8Array {
  const { signature, recid } = secp256k1.ecdsaSign(digest, secretKey)
  const compact = Uint8Array.from(signature)
  compact[32] = (compact[32] ?? 0) | (recid << 7)
  return compact
}

/** Checks signatures one after the other, in small parts between which packets are served. */
export class SignatureQueue {
  readonly #limit: number
  readonly #keys = new Map<string, Uint8Array>()
  #waiting: (() => void)[] = []
  #working = false

  /** `limit`: the most checks that may wait. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether the signature is the signer's; `undefined` when too many checks wait already. */
  async check(job: SignatureCheck): Promise<boolean | undefined> {
    if (this.#waiting.length >= this.#limit) return undefined
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#waiting.push(() => resolve(isSignedBy(job, this.#keys)))
    if (!this.#working) void this.#work()
    return await promise
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#waiting.length > 0) {
      await setImmediate()
      for (const check of this.#waiting.splice(0, CHECKS_PER_TURN)) check()
    }
    this.#working = false
  }
}
