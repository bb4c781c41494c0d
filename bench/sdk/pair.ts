/** What it costs two messengers to write to each other, without a network between them. */
import {
  introduce,
  Person,
  PostOffice,
  type SentLetter,
} from '../../test/sdk/support/post-office.ts'
import { quantile } from '../world/statistics.ts'
import { cpuMsOf } from './processor.ts'
import { stoppableClock } from './stoppable-clock.ts'

/** Median processor time of a message, in milliseconds. */
export interface PairFigures {
  sendMs: number
  receiveMs: number
}

const ROUNDS = { warmUp: 3, count: 7, calls: 40 }

/** Keeps letters back while it is told to. */
class HoldingOffice extends PostOffice {
  isHolding = false
  held: SentLetter[] = []

  override async deliver(letter: SentLetter): Promise<void> {
    if (this.isHolding) this.held.push(letter)
    else await super.deliver(letter)
  }

  /** Delivers what was kept back, in order. */
  async handOver(): Promise<void> {
    const { held } = this
    this.held = []
    for (const letter of held) await super.deliver(letter)
  }
}

/** Times of texts, each of which is durable with its sender and then with its recipient. */
export async function benchPair(text: string): Promise<PairFigures> {
  const office = new HoldingOffice()
  const clock = stoppableClock()
  const [alice, bob] = [0, 1].map(() => new Person(office, { suite: 'xwing', clock }))
  if (!alice || !bob) throw new TypeError('Two people were made')
  await alice.open()
  await bob.open()
  try {
    await introduce(alice, bob)
    const conversation = alice.messenger.conversationWith(bob.code)
    if (!conversation) throw new TypeError('They have accepted each other')
    await conversation.send('the first one')
    await bob.hears('the first one')
    clock.isStopped = true
    office.isHolding = true
    const times = { send: [] as number[], receive: [] as number[] }
    for (let round = -ROUNDS.warmUp; round < ROUNDS.count; round++) {
      const send = await cpuMsOf(async () => {
        for (let i = 0; i < ROUNDS.calls; i++) await conversation.send(text)
        while (office.held.length < ROUNDS.calls) await new Promise(setImmediate)
      })
      const receive = await cpuMsOf(() => office.handOver())
      if (round < 0) continue
      times.send.push(send / ROUNDS.calls)
      times.receive.push(receive / ROUNDS.calls)
    }
    const heard = bob.events.filter(({ type }) => type === 'message').length
    const sent = 1 + (ROUNDS.warmUp + ROUNDS.count) * ROUNDS.calls
    if (heard !== sent) throw new TypeError(`${heard} of ${sent} messages were heard`)
    return { sendMs: quantile(times.send, 0.5), receiveMs: quantile(times.receive, 0.5) }
  } finally {
    await alice.close()
    await bob.close()
  }
}
