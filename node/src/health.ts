/** What ails a relay, in sentences for its operator: `/healthz` and `/readyz`. */

import type { ChainAge } from './chain/follow.ts'

/** What is looked at. */
export interface Condition {
  chain: ChainAge
  /** The oldest view of the chain with which vouchers are accepted. */
  maxChainAgeSeconds: number
  /** How often it is asked. */
  pollSeconds: number
  links: { wanted: number; usable: number }
  /** Whether one more packet can be held. */
  holdHasRoom: boolean
  /** The disk refused something that had to be durable, or the chain cannot be followed. */
  hasFailed: boolean
}

/** A node that is restarted, or a connection that is lost for a moment, is not worth a word. */
const SILENT_SECONDS = 30
/** Longer than any pause between blocks of a chain that works. */
const HEAD_SECONDS = 15 * 60

/** Empty when all is well. */
export function troubles(condition: Condition): string[] {
  const { chain, maxChainAgeSeconds, pollSeconds, links, holdHasRoom, hasFailed } = condition
  const patience = SILENT_SECONDS + 3 * pollSeconds
  const isSilent = chain.silentSeconds > patience
  const found: [boolean, string][] = [
    [hasFailed, 'the relay cannot go on and is about to stop: see its last log line'],
    [
      isSilent,
      `the chain has not answered for ${Math.round(chain.silentSeconds)} s: check the node at rpcUrl`,
    ],
    [
      !isSilent && chain.headSeconds > HEAD_SECONDS,
      `the chain has had no new block for ${Math.round(chain.headSeconds)} s: check whether its node is in step`,
    ],
    [
      chain.viewSeconds > maxChainAgeSeconds,
      `no voucher is accepted, since the newest confirmed block is ${Math.round(chain.viewSeconds)} s old: ` +
        'check the node at rpcUrl, and maxChainAgeSeconds',
    ],
    [
      links.wanted > 0 && links.usable === 0,
      `none of ${links.wanted} peers can be reached and paid: check the connection, and the hot account's MFT`,
    ],
    [!holdHasRoom, 'the hold store is full: raise holdQuotaBytes, or wait until packets expire'],
  ]
  return found.filter(([isSo]) => isSo).map(([, reason]) => reason)
}
