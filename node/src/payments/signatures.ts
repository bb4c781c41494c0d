/** Checking voucher signatures exactly as the contract does, at native speed (PROTOCOL.md §4). */
import { setImmediate } from 'node:timers/promises'
import { publicKeyAccount, SIGNATURE_BYTES } from '@mainframe/protocol'
import secp256k1 from 'secp256k1'

/** Half the order of secp256k1: the contract refuses a greater s. */
const HALF_ORDER = Uint8Array.from(
  Buffer.from('7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0', 'hex'),
)
/** Checks between two turns of the event loop: about a millisecond. */
const CHECKS_PER_TURN = 16

/** An account that signs, with its public key once a signature of it was found good. */
export interface Signer {
  /** 20 bytes. */
  readonly account: Uint8Array
  /** 65 bytes: comparing them is quicker than hashing what was recovered. */
  publicKey?: Uint8Array
}

/** A digest and the 64-byte compact signature (EIP-2098) that `signer` is said to have made. */
export interface SignatureCheck {
  digest: Uint8Array
  signature: Uint8Array
  signer: Signer
}

/**
 * Whether the contract would recover `signer`. The key is recovered, not verified against: a
 * signature with the wrong recovery bit verifies, and then cannot be claimed.
 */
function isSignedBy({ digest, signature, signer }: SignatureCheck): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false
  const compact = new Uint8Array(signature)
  const recovery = (compact[32] ?? 0) >> 7
  compact[32] = (compact[32] ?? 0) & 0x7f
  if (Buffer.compare(compact.subarray(32), HALF_ORDER) > 0) return false
  try {
    const publicKey = secp256k1.ecdsaRecover(compact, recovery, digest, false)
    if (signer.publicKey) return Buffer.compare(signer.publicKey, publicKey) === 0
    if (Buffer.compare(publicKeyAccount(publicKey), signer.account) !== 0) return false
    signer.publicKey = publicKey
    return true
  } catch {
    return false // r or s out of range, or no point of the curve
  }
}

interface PendingCheck {
  job: SignatureCheck
  resolve(isSigned: boolean): void
}

/** Checks signatures one after the other, in small parts between which packets are served. */
export class SignatureQueue {
  readonly #limit: number
  #waiting: PendingCheck[] = []
  #working = false

  /** `limit`: the most checks that may wait. */
  constructor(limit: number) {
    this.#limit = limit
  }

  /** Whether the signature is the signer's; `undefined` when too many checks wait already. */
  check(job: SignatureCheck): Promise<boolean | undefined> {
    if (this.#waiting.length >= this.#limit) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      this.#waiting.push({ job, resolve })
      if (!this.#working) void this.#work()
    })
  }

  async #work(): Promise<void> {
    this.#working = true
    while (this.#waiting.length > 0) {
      await setImmediate()
      for (const { job, resolve } of this.#waiting.splice(0, CHECKS_PER_TURN)) {
        resolve(isSignedBy(job))
      }
    }
    this.#working = false
  }
}
