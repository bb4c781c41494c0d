/** What a platform computes in a tenth of the time that JavaScript takes, and has one wait for. */
import type { KeyPair } from '@mainframe/protocol'

export interface Aside {
  /**
   * X25519 of our key and theirs. `undefined` when the platform gives none, as for a low-order point:
   * whoever has to know computes it himself.
   */
  x25519(own: KeyPair, theirs: Uint8Array): Promise<Uint8Array | undefined>
  sha256(bytes: Uint8Array): Promise<Uint8Array>
}
