/** Two messengers on a running network, and how long a new process takes until it has one. */
import { startTestNetwork, type TestNetwork } from '@mainframe/localnet/testing'
import type { Messenger, MessengerEvent } from '@mainframe/sdk'
import { Shutdown } from '../../localnet/src/shutdown.ts'
import { Child } from '../world/child.ts'
import { quantile } from '../world/statistics.ts'
import type { ColdStartSettings } from './cold-start.ts'

export interface LiveFigures {
  /** From `send` until the other messenger's event. */
  endToEndP50Ms: number
  endToEndP99Ms: number
  /** From before a process is started until its messenger is open; the median. */
  coldStartMs: number
}

export interface LiveSize {
  relays: number
  /** Messages one after the other. */
  messages: number
  starts: number
}

const WARM_UP = 30

/** On relays of its own, by three hops without delays: the profile `local`. */
export async function benchLive(
  { relays, messages, starts }: LiveSize,
  tell: (progress: string) => void,
): Promise<LiveFigures> {
  tell(`${relays} relays: starting`)
  const network = await startTestNetwork({ relays })
  try {
    tell(`${messages} messages, one after the other`)
    const latenciesMs = await talk(network, messages)
    tell(`${starts} cold starts`)
    const startsMs: number[] = []
    for (let i = 0; i < starts; i++) startsMs.push(await coldStart(network))
    return {
      endToEndP50Ms: quantile(latenciesMs, 0.5),
      endToEndP99Ms: quantile(latenciesMs, 0.99),
      coldStartMs: quantile(startsMs, 0.5),
    }
  } finally {
    await network.stop()
  }
}

/** Latencies of messages by turns in both directions, in milliseconds. */
async function talk(network: TestNetwork, count: number): Promise<number[]> {
  const [alice, bob] = await Promise.all([openMessenger(network), openMessenger(network)])
  await introduce(alice, bob)
  const latenciesMs: number[] = []
  for (let i = -WARM_UP; i < count; i++) {
    const [from, to] = i % 2 === 0 ? [alice, bob] : [bob, alice]
    const text = `${i} `.padEnd(200, 'x')
    const heard = next(to, (event) => {
      return event.type === 'message' && new TextDecoder().decode(event.message.body) === text
    })
    const conversation = from.conversationWith(to.code)
    if (!conversation) throw new TypeError('They have accepted each other')
    const start = performance.now()
    await conversation.send(text)
    await heard
    if (i >= 0) latenciesMs.push(performance.now() - start)
  }
  return latenciesMs
}

async function openMessenger(network: TestNetwork): Promise<Messenger> {
  const client = await network.open({ profile: 'local' })
  return await client.messenger()
}

async function introduce(alice: Messenger, bob: Messenger): Promise<void> {
  const asked = next(bob, (event) => event.type === 'contact')
  const accepted = next(alice, (event) => {
    return event.type === 'contact' && event.contact.state === 'accepted'
  })
  await alice.contacts.request(bob.code, { introduction: 'It is me' })
  await asked
  await bob.contacts.accept(alice.code)
  await accepted
}

function next(messenger: Messenger, fits: (event: MessengerEvent) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = messenger.on((event) => {
      if (!fits(event)) return
      stop()
      resolve()
    })
  })
}

async function coldStart({ network, createAccount }: TestNetwork): Promise<number> {
  const shutdown = new Shutdown()
  const settings: ColdStartSettings = { network, account: await createAccount() }
  const start = performance.now()
  try {
    await new Child('sdk/cold-start.ts', settings, shutdown).next('open')
    return performance.now() - start
  } finally {
    await shutdown.stop()
  }
}
