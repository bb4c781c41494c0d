/** Runs in a browser: receives packets that are for somebody else, as a client does. */
import {
  createKeyPair,
  encodeInstruction,
  type KeyPair,
  MESSAGE_PAYLOAD_BYTES,
  minutesNow,
  padPacket,
  roundUpExpiry,
  sealLayer,
} from '@mainframe/protocol'
import { systemClock } from '../../sdk/src/clock.ts'
import { Completed } from '../../sdk/src/messages/completed.ts'
import { createIntake } from '../../sdk/src/messages/intake.ts'
import { personalReceiver } from '../../sdk/src/messages/personal.ts'
import type { Aside } from '../../sdk/src/platform/aside.ts'
import { openAside } from '../../sdk/src/platform/browser.ts'
import { systemRandom } from '../../sdk/src/random.ts'
import { memoryStore } from '../../sdk/src/store/memory-store.ts'

const CONTENT = encodeInstruction({
  kind: 'message',
  messageId: new Uint8Array(16),
  index: 0,
  count: 1,
  payload: new Uint8Array(MESSAGE_PAYLOAD_BYTES),
})

function foreignPacket(): Uint8Array {
  const header = {
    luminosity: 0,
    address: new Uint8Array(32),
    expiryMinutes: roundUpExpiry(minutesNow() + 60),
  }
  const { publicKey } = createKeyPair()
  return padPacket(sealLayer({ header, publicKey, content: CONTENT }))
}

/** Microseconds for each packet, from the first that is delivered until all are dealt with. */
async function receive(
  packets: readonly Uint8Array[],
  { keyPair, aside }: { keyPair: KeyPair; aside: Aside | undefined },
): Promise<number> {
  const receiver = personalReceiver({
    keyPair,
    clock: systemClock,
    random: systemRandom,
    completed: await Completed.open(memoryStore(), systemClock.now()),
    ackDelayMs: 0,
    quietMs: 1_000,
    acknowledge: () => {},
    onAcknowledgement: () => {},
    onLoop: () => {},
    onRoom: () => {},
    onHandlerError: () => {},
  })
  const intake = createIntake(receiver, aside)
  const start = performance.now()
  for (const [i, packet] of packets.entries()) {
    intake.take(packet, 'relay', i + 1)
    await intake.whenRoom()
  }
  await new Promise<void>((resolve) => intake.after(resolve))
  const us = ((performance.now() - start) * 1_000) / packets.length
  if (receiver.resumeAt('relay') !== packets.length) throw new TypeError('All were received')
  receiver.close()
  return us
}

const page = {
  /** Each way so many times, by turns; the packets are sealed before. */
  measure: async (rounds: number, packets: number) => {
    const keyPair = createKeyPair()
    const foreign = Array.from({ length: packets }, foreignPacket)
    const aside = await openAside()
    if (!aside) throw new TypeError('Chromium has X25519')
    const times = { receiveUs: [] as number[], aloneUs: [] as number[] }
    for (let round = 0; round < rounds; round++) {
      times.receiveUs.push(await receive(foreign, { keyPair, aside }))
      times.aloneUs.push(await receive(foreign, { keyPair, aside: undefined }))
    }
    return times
  },
}

export type ForeignPage = typeof page
Object.assign(globalThis, { page })
