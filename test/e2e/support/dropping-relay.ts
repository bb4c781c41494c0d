/**
 * Preloaded into a relay's process: between two SIGUSR2 it takes every packet and its postage,
 * acknowledges it, and does nothing for it. Everything else is the real relay.
 */
import { Router } from '../../../node/src/routing/router.ts'

const receive = Router.prototype.receive
let drops = false
process.on('SIGUSR2', () => {
  drops = !drops
})

Router.prototype.receive = function (arrival) {
  if (!drops) return receive.call(this, arrival)
  const { account, postageUnits } = arrival
  if (!account || account.durableUnits - account.spentUnits < postageUnits) return 'no-credit'
  account.spentUnits += postageUnits
  this.outcomes.forwarded += 1
  return 'forwarded'
}
