/** What everybody in a network without a chain agrees on. */
export const CHAIN_ID = 31_337
export const CHANNELS = new Uint8Array(20).fill(0xcc)
export const TOKEN = new Uint8Array(20).fill(0x77)
export const NOTICE_SECONDS = 3_600
export const WINDOW_UNITS = 1_000_000
