/** The keys that open the packets of one inbox: a person's has one for life, a group's one an epoch. */
import { equalBytes, type KeyPair, MainframeError, openPacket } from '@mainframe/protocol'

/** The key of the epoch and of five before it: so long a message may be on its way. */
export const MOST_KEYS = 6

/** What {@link Keyring.open} says of a packet; see `openPacket` of the protocol. */
export type Opened = Uint8Array | 'unopened' | 'damaged'

export class Keyring {
  #keys: readonly KeyPair[]

  /** The newest key first. Throws `VALIDATION_FAILED`. */
  constructor(keys: readonly KeyPair[]) {
    this.#keys = distinct(keys)
  }

  /** Tries one key after the other, each of which costs one DH when it does not fit. */
  open(packet: Uint8Array): Opened {
    return openWith(this.#keys, packet)
  }

  /**
   * Puts these keys in the place of the old ones, and returns those that are new. Throws
   * `VALIDATION_FAILED`.
   */
  replace(keys: readonly KeyPair[]): Keyring | undefined {
    const before = this.#keys
    this.#keys = distinct(keys)
    const added = this.#keys.filter((key) => !before.some((other) => isSame(key, other)))
    return added.length > 0 ? new Keyring(added) : undefined
  }
}

function openWith(keys: readonly KeyPair[], packet: Uint8Array): Opened {
  for (const key of keys) {
    const opened = openPacket(packet, key)
    if (opened !== 'unopened') return opened
  }
  return 'unopened'
}

function distinct(keys: readonly KeyPair[]): readonly KeyPair[] {
  const fits = ({ secretKey, publicKey }: KeyPair) =>
    secretKey.length === 32 && publicKey.length === 32
  if (keys.length < 1 || keys.length > MOST_KEYS || !keys.every(fits)) {
    throw new MainframeError('VALIDATION_FAILED', `An inbox has 1 to ${MOST_KEYS} X25519 keys`)
  }
  return keys.filter((key, i) => keys.findIndex((other) => isSame(key, other)) === i)
}

function isSame(a: KeyPair, b: KeyPair): boolean {
  return equalBytes(a.publicKey, b.publicKey)
}
