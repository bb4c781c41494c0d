/** The keys that open the packets of one inbox: a person's has one for life, a group's one an epoch. */
import {
  equalBytes,
  type KeyPair,
  MainframeError,
  openAgreed,
  openPacket,
  packetEnc,
} from '@mainframe/protocol'
import type { Aside } from '../platform/aside.ts'

/** The key of the epoch and of five before it: so long a message may be on its way. */
export const MOST_KEYS = 6

/** What {@link Keyring.open} says of a packet; see `openPacket` of the protocol. */
export type Opened = Uint8Array | 'unopened' | 'damaged'

/** X25519 of a packet's key with those of ours for which that was computed aside. */
export type Agreed = ReadonlyMap<KeyPair, Uint8Array>

export class Keyring {
  #keys: readonly KeyPair[]

  /** The newest key first. Throws `VALIDATION_FAILED`. */
  constructor(keys: readonly KeyPair[]) {
    this.#keys = distinct(keys)
  }

  /**
   * Tries one key after the other, each of which costs one DH when it does not fit, unless that was
   * computed aside.
   */
  open(packet: Uint8Array, agreed?: Agreed): Opened {
    for (const key of this.#keys) {
      const secret = agreed?.get(key)
      const opened = secret ? openAgreed(packet, key.publicKey, secret) : openPacket(packet, key)
      if (opened !== 'unopened') return opened
    }
    return 'unopened'
  }

  /** Has the platform compute what it can for {@link open}, with the keys of this moment. */
  async agree(packet: Uint8Array, { x25519 }: Aside): Promise<Agreed> {
    const theirs = packetEnc(packet)
    const secrets = await Promise.all(this.#keys.map((key) => x25519(key, theirs)))
    return new Map(
      this.#keys.flatMap((key, i) => {
        const secret = secrets[i]
        return secret ? [[key, secret]] : []
      }),
    )
  }

  /**
   * Puts these keys in the place of the old ones, and returns those that are new. Throws
   * `VALIDATION_FAILED`.
   */
  replace(keys: readonly KeyPair[]): Keyring | undefined {
    const before = this.#keys
    const known = (key: KeyPair) => before.find((other) => isSame(key, other))
    // the very objects, since what is computed aside is kept by them
    this.#keys = distinct(keys).map((key) => known(key) ?? key)
    const added = this.#keys.filter((key) => !before.includes(key))
    return added.length > 0 ? new Keyring(added) : undefined
  }
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
