/** Holds packets as fast as the disk takes them, until it is killed. */
import { buildOnion, createKeyPair, headerOf, minutesNow, roundUpExpiry } from '@mainframe/protocol'
import { HoldStore } from '../../../node/src/holding/hold-store.ts'

const [folder = ''] = process.argv.slice(2)
const holds = await HoldStore.open({ folder, quotaBytes: 1e9 })
const expiryMinutes = roundUpExpiry(minutesNow() + 60)
const packet = buildOnion({
  header: { luminosity: 0, address: new Uint8Array(32), expiryMinutes },
  publicKey: createKeyPair().publicKey,
  instruction: { kind: 'drop' },
  hops: [],
  nowMinutes: minutesNow(),
})
const header = headerOf(packet)
if (header === 'malformed') process.exit(1)
for (;;) {
  for (let i = 0; i < 20; i++) holds.append(packet, header)
  await holds.flush()
  process.stdout.write(`${holds.lastArrival}\n`)
}
