/** What payment costs a relay's traffic: the same packets over the same links, paid and free by turns. */
import { type Line, replaceRelay, runBatch, spanMs, startLine } from '../relay/line.ts'
import type { Child } from '../world/child.ts'
import { cpuMs, withNetwork } from '../world/network.ts'
import { takeTurns } from '../world/rounds.ts'

export interface TrafficFigures {
  packetsPerSecondPaid: number
  packetsPerSecondFree: number
  /** Processor time of source, relay and sink for the free packets, to that for as many paid ones. */
  paidCpuRatio: number
}

export interface TrafficSize {
  rounds: number
  packetsOfRound: number
}

/** A deposit that lasts for the whole run: topping up waits for the chain. */
const FLAGS = ['--deposit-units', '5000000000']
/**
 * Packets on their way at a time: enough to keep the relay busy, and few enough for it to refuse none.
 * More, and credit itself would be what keeps a payer from sending more than a relay can take.
 */
const UNDER_WAY = 512
/** Packets by which the payers of the line learn that payment was switched. */
const SETTLING_PACKETS = 32
const WARM_UP = 2

export async function measureTraffic(
  { rounds, packetsOfRound }: TrafficSize,
  tell: (progress: string) => void,
): Promise<TrafficFigures> {
  return await withNetwork({ count: 2, flags: FLAGS, tell }, async (network) => {
    const [first] = network.relays
    if (!first) throw new TypeError('Two relays were started')
    const relay = await replaceRelay(first, 'payments/relay.ts', network.shutdown)
    const line = await startLine(network)
    const cpu = { paid: 0, free: 0 }
    const cpuNow = () => sum([line.source, relay, line.sink].map(({ pid }) => cpuMs(pid)))
    const measure = (kind: keyof typeof cpu) => async (round: number) => {
      await switchPayments([relay, line.sink], kind === 'paid')
      await send(line, SETTLING_PACKETS)
      const before = cpuNow()
      const ms = await send(line, packetsOfRound)
      if (round >= WARM_UP) cpu[kind] += cpuNow() - before
      tell(`${kind}: ${Math.round((packetsOfRound * 1_000) / ms)} packets a second`)
      return ms
    }
    const size = { rounds, warmUp: WARM_UP }
    const measured = await takeTurns(size, { paid: measure('paid'), free: measure('free') })
    const perSecond = (ms: number) => (measured.rounds * packetsOfRound * 1_000) / ms
    return {
      packetsPerSecondPaid: perSecond(measured.ms.paid),
      packetsPerSecondFree: perSecond(measured.ms.free),
      paidCpuRatio: cpu.free / cpu.paid,
    }
  })
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** Milliseconds between the first arrival at the sink and the last. */
async function send(line: Line, count: number): Promise<number> {
  return spanMs(await runBatch(line, { kind: 'forward', count, underWay: UNDER_WAY }))
}

async function switchPayments(payees: readonly Child[], on: boolean): Promise<void> {
  const switched = payees.map((payee) => payee.next('payments-switched'))
  for (const payee of payees) payee.send('payments', { on })
  await Promise.all(switched)
}
