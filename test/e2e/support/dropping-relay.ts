/**
 * Preloaded into a relay's process: it takes every packet and its postage, acknowledges it, and does
 * nothing for it. Everything else is the real relay.
 */
import { Router } from '../../../node/src/routing/router.ts'

Router.prototype.receive = function ({ account, postageUnits }) {
  if (!account || account.durableUnits - account.spentUnits < postageUnits) return 'no-credit'
  account.spentUnits += postageUnits
  this.outcomes.forwarded += 1
  return 'forwarded'
}
