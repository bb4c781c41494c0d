import { primitives } from '#primitives'

/** Ed25519 (RFC 8032) of a 32-byte seed, as the protocol signs and verifies. */
export const { ed25519PublicKey, ed25519Sign, ed25519Verify } = primitives
