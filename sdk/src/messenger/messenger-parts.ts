import type { EventHub } from './events.ts'
import type { Parts } from './parts.ts'

/** What the parts of a messenger share. */
export interface MessengerParts extends Parts {
  hub: EventHub
}
