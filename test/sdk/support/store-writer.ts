/** A process that writes one key again and again until it is killed, and says what is durable. */
import { fileStore } from '@mainframe/sdk'

const store = fileStore(process.argv[2] ?? '')
await store.open()
for (let i = 1; ; i++) {
  await store.set('counter', Uint8Array.from(Buffer.from(`${i} ${'x'.repeat(1000)}`)))
  process.stdout.write(`${i}\n`)
}
