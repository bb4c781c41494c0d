/** The relay under test: whole, but for credit that the bench can make endless. */
import { createLogger, loadConfig, Relay } from '../../node/src/index.ts'
import { installEndlessCredit } from '../relay/endless-credit.ts'
import { settingsOf, tellBench } from '../world/child.ts'

const { configFile } = await settingsOf<{ configFile: string }>()
installEndlessCredit()
const config = loadConfig({ flags: {}, environment: {}, configFile })
const relay = await Relay.start(config, { log: createLogger('silent') })
await relay.ready
tellBench('listening')
