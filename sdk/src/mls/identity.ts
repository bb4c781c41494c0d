/** Who a member is: an inbox key, and an Ed25519 key that signs for it. */
import { MainframeError } from '@mainframe/protocol'
import { INBOX_KEY_BYTES, type Mls } from './suites.ts'

export interface Identity {
  /** X25519 public key of the inbox, 32 bytes: the name under which members know each other. */
  readonly inboxKey: Uint8Array
  /** Ed25519 public key, 32 bytes. */
  readonly signatureKey: Uint8Array
  /** What signs; its form is the ciphersuite's own. */
  readonly signatureSecret: Uint8Array
}

/** A new signature key for an inbox. Throws `CRYPTO_INVALID_KEY`. */
export async function createIdentity(mls: Mls, inboxKey: Uint8Array): Promise<Identity> {
  if (inboxKey.length !== INBOX_KEY_BYTES) {
    throw new MainframeError('CRYPTO_INVALID_KEY', 'An inbox key is 32 bytes; pass the public one')
  }
  const { publicKey, signKey } = await mls.impl.signature.keygen()
  return { inboxKey, signatureKey: publicKey, signatureSecret: signKey }
}

/** A signature of 64 bytes; whoever calls puts a label in front of what is signed. */
export function sign(mls: Mls, signatureSecret: Uint8Array, text: Uint8Array): Promise<Uint8Array> {
  return mls.impl.signature.sign(signatureSecret, text)
}

/** Whether a signature fits; false for keys and signatures of a wrong form too. */
export async function verify(
  mls: Mls,
  signed: { signatureKey: Uint8Array; text: Uint8Array; signature: Uint8Array },
): Promise<boolean> {
  try {
    return await mls.impl.signature.verify(signed.signatureKey, signed.text, signed.signature)
  } catch {
    return false
  }
}
