/** What differs between platforms, for Node; `browser.ts` is its counterpart. */
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'

export { fileStore } from '../store/file-store.ts'

/** Transports by which relays are reached. */
export function transports() {
  return [tcp(), webSockets()]
}
