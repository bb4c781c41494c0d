import { primitives } from '#primitives'

/** X25519 (RFC 7748 §5), for whoever else agrees on secrets; `undefined` for a low-order point. */
export const { x25519 } = primitives
