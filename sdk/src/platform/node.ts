/** What differs between platforms, for Node; `browser.ts` is its counterpart. */
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { MainframeError } from '@mainframe/protocol'
import type { Store } from '../store/store.ts'

export { fileStore } from '../store/file-store.ts'

/** Transports by which relays are reached. */
export function transports() {
  return [tcp(), webSockets()]
}

/** Refuses with `CONFIG_INVALID`: Node has no IndexedDB. */
export function indexedDbStore(_name: string): Store {
  throw new MainframeError(
    'CONFIG_INVALID',
    'Node has no IndexedDB: pass fileStore() or memoryStore()',
  )
}
