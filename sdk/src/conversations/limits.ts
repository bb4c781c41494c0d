/** Constants of conversations (docs/conversations.md). What two members must agree on stands first. */

/** Bytes of a conversation's id, which is the MLS group id. */
export const CONVERSATION_ID_BYTES = 16
/** Longest body of a message, in bytes: what 1 MiB leaves besides heads, keys and padding. */
export const MAX_BODY_BYTES = 1_048_576 - 2048
/** Longest body of a whisper, which is never kept. */
export const MAX_WHISPER_BYTES = 4096
/** Most parents that a message names. */
export const MAX_PARENTS = 8
/** Most heads, and most missing messages, that one sync names. */
export const MAX_HEADS = 16
export const MAX_LACKING = 32
/** Most messages that one request for repair names. */
export const MAX_ASKED = 32
/** Most bytes of messages in one answer; a single longer one goes alone. */
export const MAX_GIVEN_BYTES = 65_536
/** Lamport times are u48; at the highest they stop, and ids alone order what follows. */
export const MAX_LAMPORT = 2 ** 48 - 1
/** Most members that one commit adds. */
export const MAX_ADDED = 32

/** Most former members that a welcome names. */
export const MAX_FORMER = 32

/** Epochs before the newest one whose keys are kept, so that rivals and latecomers can be read. */
export const KEPT_EPOCHS = 5
/** How long an epoch's keys are kept once a newer one is there. */
export const KEPT_EPOCH_MS = 24 * 3_600_000
/** Most epochs of other branches that are kept. */
export const MAX_RIVALS = 8
/** Commits that are kept for members who come back late. */
export const KEPT_COMMITS = 64

/** Messages that were named and are missing: in all, and by one member's word. */
export const MAX_MISSING = 4096
export const MAX_MISSING_BY_ONE = 512
/** Rounds of asking after which a message counts as lost. */
export const MAX_ASK_ROUNDS = 12
/** Messages that one member is given within `ASK_WINDOW_MS`. */
export const MAX_GIVEN_TO_ONE = 512
export const ASK_WINDOW_MS = 600_000
/** Requests that wait for a steward: in all, and by one member. */
export const MAX_REQUESTS = 128
export const MAX_REQUESTS_BY_ONE = 32
/** A request that nobody committed is forgotten after that. */
export const REQUEST_LIFE_MS = 24 * 3_600_000
/** What cannot be opened yet: pieces, and bytes of them. */
export const MAX_PARKED = 64
/** Epochs beyond the newest one of which something is kept. */
export const MAX_AHEAD = 4096
export const MAX_PARKED_BYTES = 4 * 1_048_576
/** Questions to silent members that an answer may come to. */
export const MAX_QUESTIONS = 64
/** Digests of what was received lately. */
export const MAX_SEEN = 4096

/** Own keys are renewed after that long, or after that many messages in either direction. */
export const UPDATE_MS = 7 * 24 * 3_600_000
export const UPDATE_MESSAGES = 500

/** Waits of a conversation in milliseconds. Means are of exponential waits. */
export interface ConversationTimes {
  /** Mean wait before a quiet member says what it has. */
  syncMs: number
  /** Mean wait before missing messages are asked for, doubled with each round. */
  askMs: number
  /** Mean wait before somebody answers. */
  giveMs: number
  /** Mean wait before commits are shown again to members who seem to lack them. */
  showMs: number
  /** How long a steward collects requests. */
  batchMs: number
  /** How much longer than its predecessor each deputy steward waits. */
  stewardMs: number
  /** First wait before a request, or a sync that wants answers, is said again; doubled with each. */
  retryMs: number
  /** Longest wait between two of them. */
  lastRetryMs: number
}

/** Waits by profile: `local` hides nothing in time. */
export const CONVERSATION_TIMES: Readonly<Record<'local' | 'standard', ConversationTimes>> = {
  local: {
    syncMs: 200,
    askMs: 200,
    giveMs: 100,
    showMs: 200,
    batchMs: 50,
    stewardMs: 3000,
    retryMs: 2000,
    lastRetryMs: 30_000,
  },
  standard: {
    syncMs: 30_000,
    askMs: 30_000,
    giveMs: 15_000,
    showMs: 30_000,
    batchMs: 2000,
    stewardMs: 300_000,
    retryMs: 120_000,
    lastRetryMs: 3_600_000,
  },
}
