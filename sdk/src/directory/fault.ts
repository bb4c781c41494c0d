/** What an indexer can be caught at. */
import { type Hex, MainframeError } from '@mainframe/protocol'

const SENTENCES = {
  schema: 'gave no usable page',
  'chain-id': 'speaks of another chain',
  block: 'speaks of a block that the chain does not have',
  stale: 'is more than 30 minutes behind the chain',
  duplicate: 'lists a relay twice',
  'node-id': 'gives a relay the id of another',
  signature: 'lists a relay that did not sign its registration',
  'overlay-address': 'gives a relay a wrong overlay address',
  inactive: 'lists a relay that is not active',
  record: 'gives a relay another record than the registry',
  'registered-block': 'gives a relay another registration than the registry',
  stake: 'gives a relay another stake than the registry',
  'seed-block': 'places a relay by a block that the chain does not have',
  price: 'gives a relay other prices than the price board',
  omitted: 'leaves out a relay that the registry has',
  'log-omission': 'leaves out events of the log of the registry',
  'log-order': 'gives the log of the registry in another order',
  'log-forgery': 'gives a log of the registry that the chain does not have',
  users: 'counts the users otherwise than the chain has them',
} as const

/** What an indexer's answer contradicts. */
export type Fault = keyof typeof SENTENCES

/** The chain may have moved between the two answers: asked again, an honest indexer agrees with it. */
const PASSING: ReadonlySet<Fault> = new Set(['block', 'stale', 'seed-block'])

/** The error for an indexer that was caught: `INDEXER_INVALID` with the fault in its details. */
export function lie(fault: Fault, nodeId?: Hex): MainframeError {
  const relay = nodeId ? ` (relay ${nodeId})` : ''
  const sentence = `The indexer ${SENTENCES[fault]}${relay}; use another indexer`
  return new MainframeError('INDEXER_INVALID', sentence, {
    details: nodeId ? { fault, nodeId } : { fault },
    retryable: PASSING.has(fault),
  })
}
