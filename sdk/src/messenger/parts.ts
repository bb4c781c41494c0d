/** What conversations share. */
import type { Clock } from '../clock.ts'
import type { ConversationTimes } from '../conversations/limits.ts'
import type { Identity } from '../mls/identity.ts'
import type { Mls } from '../mls/suites.ts'
import type { Random } from '../random.ts'
import type { Store } from '../store/store.ts'
import type { Carrier } from './carrier.ts'

export interface Parts {
  carrier: Carrier
  store: Store
  clock: Clock
  random: Random
  times: ConversationTimes
  mls: Mls
  identity: Identity
}

/** Kinds of bodies that this layer gives a meaning; applications take those from 256 on. */
export const BODY_KINDS = { text: 0, invitation: 16, acceptance: 17, refusal: 18 } as const
