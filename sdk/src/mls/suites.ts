/**
 * Which MLS this is: ciphersuite, limits, and whom to believe. The folder `mls` alone imports ts-mls, file
 * by file: its index brings what other suites need.
 */
import type { CiphersuiteImpl, ClientState, Credential } from 'ts-mls'
import { defaultKeyPackageEqualityConfig } from 'ts-mls/keyPackageEqualityConfig.js'
import { openCiphersuite, type SuiteName } from './ciphersuite.ts'

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
  return {
    suite,
    impl: openCiphersuite(suite),
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
