/** Whole networks of relay processes: one sender, one receiver, everything paid and sealed. */
import { fetchStatus, type RelayProcess } from '@mainframe/localnet'
import { createKeyPair } from '@mainframe/protocol'
import type { ReceiverSettings } from './network/receiver.ts'
import type { SenderSettings, Series } from './network/sender.ts'
import { Child } from './world/child.ts'
import { type BenchNetwork, cpuMs, createAccount, rssMb, withNetwork } from './world/network.ts'
import { preciseNowMs, quantile, rounded } from './world/statistics.ts'

export interface NetworkFigures {
  relays: number
  hops: number
  /** With {@link UNDER_WAY} messages on their way. */
  deliveredPerSecond: number
  /** From before sealing until after opening, at {@link SLOW_RATE} a second. */
  latencyP50Ms: number
  latencyP99Ms: number
  /** Packets that relays took, and deliveries to the receiver, for each message. */
  copiesPerMessage: number
  /** Processor time, user and system, of relays, sender and receiver, in the fast series. */
  cpuMsPerMessage: number
  rssMbPerRelay: number
  lost: number
}

const SIZES = [8, 16, 32]
const HOPS = [0, 3]
const SUBSCRIPTIONS = 2
const UNDER_WAY = 512
const SLOW_RATE = 5
const SLOW_COUNT = 50
const WARM_UP = 1_000
/** Messages of a fast series: some ten seconds for each size. */
const FAST_COUNT = { most: 4_000, perRelay: 32_000 }
const SETTLE_MS = 15_000

export async function benchNetwork(tell: (progress: string) => void): Promise<NetworkFigures[]> {
  const rows: NetworkFigures[] = []
  for (const size of SIZES) {
    const ofSize = await withNetwork({ count: size, tell }, (network) => measureSize(network, tell))
    tell(JSON.stringify(ofSize)) // a larger network may ask too much of this machine
    rows.push(...ofSize)
  }
  return rows
}

async function measureSize(network: BenchNetwork, tell: (progress: string) => void) {
  const { relays } = network
  const ends = await startEnds(network)
  const rows: NetworkFigures[] = []
  for (const hops of HOPS) {
    tell(`${relays.length} relays, ${hops} hops: warming up`)
    await ends.run({ count: WARM_UP, hops, underWay: UNDER_WAY })
    tell(`${relays.length} relays, ${hops} hops: as fast as it goes`)
    const count = Math.min(FAST_COUNT.most, Math.round(FAST_COUNT.perRelay / relays.length))
    const takenBefore = await taken(relays)
    const cpuBefore = ends.cpuMs()
    const fast = await ends.run({ count, hops, underWay: UNDER_WAY })
    const cpu = ends.cpuMs() - cpuBefore
    const copies = (await taken(relays)) - takenBefore + fast.deliveries
    tell(`${relays.length} relays, ${hops} hops: ${SLOW_RATE} a second`)
    const slow = await ends.run({ count: SLOW_COUNT, hops, perSecond: SLOW_RATE })
    rows.push({
      relays: relays.length,
      hops,
      deliveredPerSecond: Math.round(fast.delivered / fast.seconds),
      latencyP50Ms: rounded(quantile(slow.latenciesMs, 0.5), 1),
      latencyP99Ms: rounded(quantile(slow.latenciesMs, 0.99), 1),
      copiesPerMessage: rounded(copies / fast.delivered, 1),
      cpuMsPerMessage: rounded(cpu / fast.delivered),
      rssMbPerRelay: Math.round(
        relays.reduce((sum, { service }) => sum + rssMb(service.pid ?? 0), 0) / relays.length,
      ),
      lost: fast.lost + slow.lost,
    })
  }
  return rows
}

/** What became of a series. */
interface Outcome {
  delivered: number
  lost: number
  /** From the first message to the last delivery. */
  seconds: number
  latenciesMs: number[]
  deliveries: number
}

async function startEnds({ chain, relays, shutdown }: BenchNetwork) {
  const inbox = createKeyPair()
  const keys = relays.map(({ nodeKey }) => nodeKey)
  const [entryKey, ...hopKeys] = keys
  if (!entryKey) throw new TypeError('Relays were started')
  const receiverSettings: ReceiverSettings = {
    ...(await createAccount(chain)),
    relayKeys: keys.slice(-SUBSCRIPTIONS),
    inboxSecret: inbox.secretKey,
  }
  const receiver = new Child('network/receiver.ts', receiverSettings, shutdown)
  await receiver.next('ready')
  const senderSettings: SenderSettings = {
    ...(await createAccount(chain)),
    entryKey,
    hopKeys,
    inboxKey: inbox.publicKey,
  }
  const sender = new Child('network/sender.ts', senderSettings, shutdown)
  await sender.next('ready')
  let delivered = 0
  receiver.on('delivered', ({ count }) => {
    delivered = Number(count)
    sender.send('delivered', { count })
  })
  const pids = [sender.pid, receiver.pid, ...relays.map(({ service }) => service.pid ?? 0)]
  return {
    cpuMs: () => pids.reduce((sum, pid) => sum + cpuMs(pid), 0),
    run: async (series: Series): Promise<Outcome> => {
      delivered = 0
      const start = preciseNowMs()
      const sent = sender.next('sent')
      sender.send('send', { series })
      await sent
      const deadline = preciseNowMs() + SETTLE_MS
      while (delivered < series.count && preciseNowMs() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      const taken = receiver.next('taken')
      receiver.send('take')
      const { latenciesMs, deliveries, lastMs } = (await taken) as unknown as Taken
      const lost = series.count - latenciesMs.length
      const seconds = (lastMs - start) / 1_000
      return { delivered: latenciesMs.length, lost, seconds, latenciesMs, deliveries }
    },
  }
}

interface Taken {
  latenciesMs: number[]
  deliveries: number
  lastMs: number
}

/** Packets that relays have taken and debited so far. */
async function taken(relays: readonly RelayProcess[]): Promise<number> {
  const statuses = await Promise.all(relays.map(fetchStatus))
  const names = ['forwarded', 'named', 'held', 'respread', 'seen']
  return statuses.reduce(
    (sum, { outcomes }) => sum + names.reduce((n, name) => n + (outcomes[name] ?? 0), 0),
    0,
  )
}
