/** Is paid and serves for ever, writes the ledger now and then, and prints how many packets it served. */
import { writeSync } from 'node:fs'
import { openRelay } from './one-payer.ts'

const relay = await openRelay(process.argv[2] ?? '', { flushMs: 5 })
await relay.accounts.start()
for (let served = 0; ; ) {
  await relay.promise(3)
  for (let i = 0; i < 2; i++) relay.serve()
  served += 2
  if (served === 2) await relay.accounts.flush()
  writeSync(1, `${served}\n`)
}
