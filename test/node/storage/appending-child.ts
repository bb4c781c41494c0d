/** Appends numbered records for ever, several a batch, and prints each number once it is durable. */
import { writeSync } from 'node:fs'
import { AppendLog } from '../../../node/src/storage/append-log.ts'

const log = await AppendLog.open(process.argv[2] ?? '', () => {})
for (let batch = 0; ; batch++) {
  let last = 0
  for (let i = 0; i < 5; i++) {
    last = batch * 5 + i
    log.append(Buffer.alloc(100 + (last % 3000), String(last).padStart(10, '0')))
  }
  await log.flush()
  writeSync(1, `${last}\n`)
}
