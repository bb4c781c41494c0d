/** When a message is sent again, and how much of it. Pure functions. */

import { type Random, shuffle } from '../random.ts'
import { hasBit } from './bitmap.ts'

/** Waits between attempts, in milliseconds. */
export interface RetryTimes {
  /** Wait for an acknowledgement after everything was accepted. */
  firstMs: number
  /** The longest wait that doubling leads to. */
  lastMs: number
  /** Silence after which the other side reports what it lacks. */
  quietMs: number
}

/** Where a fragment is. `arrived`: the recipient said so. */
export type FragmentState = 'queued' | 'shipped' | 'accepted' | 'arrived'

/** Messages of up to this many fragments are sent again whole. */
const SMALL_MESSAGE = 4
/** Fragments by which a larger one asks what has arrived. */
const PROBES = 2
const GROWTH = 1.7
/** Retries at the first interval: a dead relay is found by trying a few ways. */
const QUICK_RETRIES = 3

/** Wait before attempt `attempt` (1 is the first retry), a fifth more or less. */
export function retryWaitMs(times: RetryTimes, attempt: number, random: Random): number {
  const growth = GROWTH ** Math.max(0, attempt - QUICK_RETRIES)
  const waitMs = Math.min(times.lastMs, times.firstMs * growth)
  return Math.round(waitMs * (0.8 + 0.4 * random()))
}

/**
 * What to send when no answer came: everything that is missing of a short message, and of a long one
 * a few fragments, to which a recipient who is there answers with what he lacks. So somebody who is
 * off line costs a packet or two a retry, not the whole message.
 */
export function probesOf(states: readonly FragmentState[], random: Random): number[] {
  const missing = states.flatMap((state, index) => (state === 'accepted' ? [index] : []))
  if (missing.length <= SMALL_MESSAGE) return missing
  return shuffle(missing, random).slice(0, PROBES)
}

/** A fragment as far as an acknowledgement is concerned. */
export interface Answered {
  state: FragmentState
  acceptedAtMs: number
}

/**
 * What an acknowledgement says of each fragment: `arrived` for the first time, or `lost`: accepted
 * so long before that it would have been received (also what had arrived and is not there any more,
 * because the recipient was restarted).
 */
export function judgeFragments(
  fragments: readonly Answered[],
  received: Uint8Array,
  settledBeforeMs: number,
): { arrived: number[]; lost: number[] } {
  const arrived: number[] = []
  const lost: number[] = []
  fragments.forEach(({ state, acceptedAtMs }, index) => {
    if (hasBit(received, index)) {
      if (state !== 'arrived') arrived.push(index)
    } else if ((state === 'accepted' || state === 'arrived') && acceptedAtMs <= settledBeforeMs) {
      lost.push(index)
    }
  })
  return { arrived, lost }
}
