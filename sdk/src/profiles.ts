/** Named sets of defaults: how patient a client is, and how much it hides in time. */

/** All values that end in Ms are milliseconds. */
export interface Profile {
  /** FORWARD layers of a packet. */
  hops: number
  /** Mean of the exponential delay at each hop. */
  delayMs: number
  /** Mean of the exponential wait before an acknowledgement: a prompt one names the recipient. */
  ackDelayMs: number
  /** Wait for an acknowledgement, besides what the delays above explain. */
  retryMs: number
  /** The longest wait between retries. */
  lastRetryMs: number
  /** Silence after which an incomplete message is reported, besides the delays. */
  quietMs: number
  /** Age at which the directory is fetched anew before it is used. */
  refreshMs: number
  /** How often the chain is asked for a receipt. */
  pollMs: number
  /** Attempts at one relay before another is taken, and the wait after the first of them. */
  tries: number
  firstWaitMs: number
  /** How long a relay that does not answer is left alone. */
  restMs: number
  /** Wait before a relay is asked again whether it sees the deposit, and for how long. */
  fundRetryMs: number
  confirmMs: number
  /** How often the subscriptions are looked after. */
  inboxCheckMs: number
}

/** For a development chain, where there is nobody to hide from: everything at once. */
const LOCAL: Profile = {
  hops: 3,
  delayMs: 0,
  ackDelayMs: 0,
  retryMs: 2_000,
  lastRetryMs: 30_000,
  quietMs: 600,
  refreshMs: 2_000,
  pollMs: 100,
  tries: 3,
  firstWaitMs: 150,
  restMs: 20_000,
  fundRetryMs: 150,
  confirmMs: 60_000,
  inboxCheckMs: 2_000,
}

/** For public networks: an observer who sees a delivery must wait for its acknowledgement. */
const STANDARD: Profile = {
  hops: 3,
  delayMs: 2_000,
  ackDelayMs: 30_000,
  retryMs: 10_000,
  lastRetryMs: 3_600_000,
  quietMs: 5_000,
  refreshMs: 60_000,
  pollMs: 2_000,
  tries: 5,
  firstWaitMs: 1_000,
  restMs: 10 * 60_000,
  fundRetryMs: 5_000,
  confirmMs: 30 * 60_000,
  inboxCheckMs: 60_000,
}

/** Hides contents and who is written to, as long as nobody compares times. */
const FAST: Profile = { ...STANDARD, hops: 1, delayMs: 0, ackDelayMs: 0, quietMs: 1_000 }

/** So much delay at each hop that a packet leaves it among others, where there is traffic. */
const STRONG: Profile = { ...STANDARD, delayMs: 30_000 }

/** Defaults by name: what a client hides, and how long it waits. */
export const PROFILES = { local: LOCAL, fast: FAST, standard: STANDARD, strong: STRONG } as const
/** `local`, `fast`, `standard` or `strong`. */
export type ProfileName = keyof typeof PROFILES
