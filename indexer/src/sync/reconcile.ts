import { MainframeError } from '@mainframe/protocol'
import type { BlockHeader, ChainReader } from '../chain/chain-reader.ts'
import type { Database } from '../db/database.ts'
import type { Cursor } from './batch.ts'
import { type ChainState, readWindow, rollbackTo } from './store.ts'

/** How the stored blocks compare with the chain. */
export type Reconciliation = 'same' | 'rolled-back' | 'chain-behind'

/** What is compared. */
export interface Sides {
  db: Database
  chain: ChainReader
  head: BlockHeader
  state: ChainState
  cursor: Cursor
}

/**
 * Compares the stored head with the chain and, when the chain has another block in its place, rolls
 * back to the newest block that both have. A chain that merely ends earlier is waited for. Throws
 * `INDEXER_FORKED` when the chain changed at or below the final block: what is stored is wrong then,
 * and cannot be undone.
 */
export async function reconcile(sides: Sides): Promise<Reconciliation> {
  const { db, chain, head, state, cursor } = sides
  let contradicted = false
  for (const block of await db.read(readWindow)) {
    const header = block.number > head.number ? undefined : await chain.header(block.number)
    if (header?.hash === block.hash) {
      if (block.number === cursor.number) return 'same'
      if (!contradicted) return 'chain-behind'
      await rollbackTo(db, cursor, block.number)
      return 'rolled-back'
    }
    contradicted ||= header !== undefined
  }
  if (contradicted) throw forked(state.finalized)
  // The chain ends below the final block: a back-end far behind, or another chain altogether.
  const anchor = await chain.header(state.anchor.number)
  if (anchor && anchor.hash !== state.anchor.hash) throw forked(state.anchor.number)
  return 'chain-behind'
}

function forked(blockNumber: number): MainframeError {
  return new MainframeError(
    'INDEXER_FORKED',
    `The chain is not the one this data was read from: it changed at or below block ${blockNumber}, ` +
      'which counted as final. Start with an empty data folder, or a larger finality depth',
    { details: { blockNumber } },
  )
}
