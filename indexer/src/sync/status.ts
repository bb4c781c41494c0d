import { type ApiNotReadyReason, errorCode } from '@mainframe/protocol'

/** How ingestion is doing, for `/readyz` and the log. Block numbers are null before they are known. */
export interface SyncStatus {
  block: number | null
  head: number | null
  /** The error of the last attempt, if it failed. */
  problem: unknown
  /** Blocks that count as unsettled; further behind than this is back-filling. */
  finalityDepth: number
}

/** Blocks behind the chain's head that are no reason to call an answer old. */
const MAX_LAG_BLOCKS = 5

/** Why the directory should not be relied on right now; empty when it can. */
export function notReadyReasons(status: SyncStatus): ApiNotReadyReason[] {
  const reasons: ApiNotReadyReason[] = []
  const { block, head, finalityDepth } = status
  if (block === null || head === null) reasons.push('starting')
  else if (head - block > finalityDepth) reasons.push('back-filling')
  else if (head - block > MAX_LAG_BLOCKS || head < block) reasons.push('lagging')
  if (status.problem !== undefined) reasons.push(reasonOf(status.problem))
  return [...new Set(reasons)]
}

function reasonOf(problem: unknown): ApiNotReadyReason {
  switch (errorCode(problem)) {
    case 'STORE_UNREACHABLE':
      return 'database-down'
    case 'CHAIN_MISMATCH':
      return 'rpc-inconsistent'
    case 'INDEXER_NOT_READY':
      return 'lagging'
    default:
      return 'rpc-down'
  }
}
