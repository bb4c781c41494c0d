/**
 * What became of a delivered packet. `unopened` is the common case: it is for somebody else who
 * shares the prefix.
 */
export type ReceiveOutcome =
  | 'seen'
  | 'expired'
  | 'unopened'
  | 'damaged'
  | 'no-message'
  | 'acknowledgement'
  | 'loop'
  | 'completed-before'
  | 'stored'
  | 'complete'
  | 'duplicate'
  | 'inconsistent'
  | 'full'
