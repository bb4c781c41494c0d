/** Ed25519 as members of conversations sign. */

/** What ts-mls takes; secret keys are PKCS #8 on every platform, so that stores fit them all. */
export interface Signing {
  sign(secretKey: Uint8Array, text: Uint8Array): Promise<Uint8Array>
  /** As the protocol has it: cofactorless, and no key or commitment of small order. */
  verify(publicKey: Uint8Array, text: Uint8Array, signature: Uint8Array): Promise<boolean>
  keygen(): Promise<{ publicKey: Uint8Array; signKey: Uint8Array }>
}
