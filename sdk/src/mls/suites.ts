/** Which MLS this is: ciphersuite, limits, and whom to believe. The folder `mls` alone imports ts-mls. */
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import {
  type CiphersuiteImpl,
  type ClientState,
  type Credential,
  defaultKeyPackageEqualityConfig,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
} from 'ts-mls'
import { hashOf, kdfOf } from './hashing.ts'

/**
 * Ciphersuites that can be chosen: `xwing` is X25519 with ML-KEM-768, so that what is recorded today
 * stays closed to a quantum computer; `x25519` is suite 3 of RFC 9420, smaller and quicker.
 */
export const SUITES = {
  xwing: 'MLS_256_XWING_CHACHA20POLY1305_SHA512_Ed25519',
  x25519: 'MLS_128_DHKEMX25519_CHACHA20POLY1305_SHA256_Ed25519',
} as const

export type SuiteName = keyof typeof SUITES

/** Says whether a signature key belongs to an inbox key, as far as this client knows. */
export type Authenticate = (
  inboxKey: Uint8Array,
  signatureKey: Uint8Array,
) => boolean | Promise<boolean>

/** What every call needs besides a state. */
export interface Mls {
  readonly suite: SuiteName
  readonly impl: CiphersuiteImpl
  readonly config: ClientState['clientConfig']
}

/** Bytes of the X25519 inbox key that a credential is. */
export const INBOX_KEY_BYTES = 32
/** Keys of messages that were overtaken by later ones are kept for that many, each sender and epoch. */
const KEPT_GENERATIONS = 128
/** How far ahead of what was seen a sender may be; each step costs one derivation. */
const MOST_STEPS_AHEAD = 1024

/** Group context extension of a conversation, from the range for private use. */
export const GROUP_EXTENSION = 0xf0a1
/** Extension of the group info in a welcome. */
export const WELCOME_EXTENSION = 0xf0a2

/** Loads a ciphersuite. Every credential and signature key that is met goes through `authenticate`. */
export async function openMls(options: {
  suite?: SuiteName
  authenticate: Authenticate
}): Promise<Mls> {
  const { suite = 'xwing', authenticate } = options
  const hash = suite === 'xwing' ? sha512 : sha256
  const impl = await getCiphersuiteImpl(getCiphersuiteFromName(SUITES[suite]))
  return {
    suite,
    impl: { ...impl, kdf: kdfOf(hash), hash: hashOf(hash) },
    config: {
      // One epoch back, the least that ts-mls does right; states drop it at once (state.ts).
      keyRetentionConfig: {
        retainKeysForGenerations: KEPT_GENERATIONS,
        retainKeysForEpochs: 1,
        maximumForwardRatchetSteps: MOST_STEPS_AHEAD,
      },
      lifetimeConfig: { maximumTotalLifetime: 2n ** 63n - 1n, validateLifetimeOnReceive: false },
      keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
      // Conversations pad by themselves, what they publish as a whole.
      paddingConfig: { kind: 'alwaysPad', paddingLength: 0 },
      authService: {
        validateCredential: async (credential, signatureKey) => {
          const inboxKey = inboxKeyOf(credential)
          return inboxKey !== undefined && (await authenticate(inboxKey, signatureKey))
        },
      },
    },
  }
}

/** The inbox key in a credential, `undefined` when there is none of 32 bytes. */
export function inboxKeyOf(credential: Credential): Uint8Array | undefined {
  if (credential.credentialType !== 'basic') return undefined
  return credential.identity.length === INBOX_KEY_BYTES ? credential.identity : undefined
}
