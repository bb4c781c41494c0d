/** scrypt (RFC 7914) with the block size and parallelism that OWASP gives for N = 2^17. */
export const SCRYPT = { r: 8, p: 1 } as const
/** Bytes of the keys that it makes. */
export const SCRYPT_KEY_BYTES = 32

/** A key of a password and a salt; N is two to the power of `logN`, and it takes 2^(logN + 10) bytes. */
export type Scrypt = (password: Uint8Array, salt: Uint8Array, logN: number) => Promise<Uint8Array>
