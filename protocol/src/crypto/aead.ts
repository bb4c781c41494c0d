import { primitives } from '#primitives'

/** ChaCha20-Poly1305 (RFC 8439) as the seal uses it, for whoever else encrypts on the same path. */
export const { aeadSeal, aeadOpen } = primitives
