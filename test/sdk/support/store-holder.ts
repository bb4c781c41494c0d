/** A process that holds a store until it is killed. */
import { fileStore } from '@mainframe/sdk'

const store = fileStore(process.argv[2] ?? '')
await store.open()
await store.set('written', Uint8Array.from(Buffer.from('by another process')))
process.stdout.write('ready\n')
setInterval(() => {}, 1000)
