/** Puts ever greater amounts, many at a time, and prints the last of each round once all are durable. */
import { writeSync } from 'node:fs'
import type { Hex } from '@mainframe/protocol'
import { openSignedLog } from '../../../node/src/payments/signed-log.ts'

const ROUND = 500
const CHANNELS: Hex[] = [`0x${'ab'.repeat(32)}`, `0x${'cd'.repeat(32)}`]

const log = await openSignedLog(process.argv[2] ?? '')
for (let amount = 1n; ; amount += 1n) {
  const puts: Promise<void>[] = []
  for (let i = 0; i < ROUND; i++) {
    amount += 1n
    for (const channelId of CHANNELS) puts.push(log.put({ channelId, epoch: 1, amount }))
  }
  await Promise.all(puts)
  writeSync(1, `${amount}\n`)
}
