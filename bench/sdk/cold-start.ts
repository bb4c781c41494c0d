/** A process that opens a client with its messenger, and says so. */
import { Mainframe, memoryStore, type NetworkOptions } from '@mainframe/sdk'
import { settingsOf, tellBench } from '../world/child.ts'

export interface ColdStartSettings {
  network: NetworkOptions
  account: string
}

const { network, account } = await settingsOf<ColdStartSettings>()
const client = await Mainframe.open({ network, account, store: memoryStore() })
await client.messenger()
tellBench('open')
