/**
 * The end of the line: a relay in all but one thing, that it takes every packet for its postage and
 * neither opens nor holds it. So what is measured is the relay before it.
 */
import { createLogger, loadConfig, Relay } from '../../node/src/index.ts'
import { Router } from '../../node/src/routing/router.ts'
import { type Arrival, debit, hasCredit } from '../../node/src/routing/rule.ts'
import { onNote, settingsOf, tellBench } from '../world/child.ts'
import { preciseNowMs } from '../world/statistics.ts'
import { installEndlessCredit } from './endless-credit.ts'
import { indexOf } from './packets.ts'

const { configFile } = await settingsOf<{ configFile: string }>()
let arrivals: { index: number; atMs: number }[] = []

Router.prototype.receive = ({ account, postageUnits, packet }: Arrival) => {
  if (!hasCredit(account, postageUnits)) return 'no-credit'
  debit(account, postageUnits)
  arrivals.push({ index: indexOf(packet), atMs: preciseNowMs() })
  return 'named'
}
installEndlessCredit()
const config = loadConfig({ flags: {}, environment: {}, configFile })
await Relay.start(config, { log: createLogger('silent') })
onNote('count', () => tellBench('count', { count: arrivals.length }))
onNote('take', () => {
  tellBench('arrivals', { arrivals })
  arrivals = []
})
tellBench('listening')
