/** A market of relays with prices and margins of their own, and where every base unit of it goes. */
import {
  claimAll,
  fetchStatus,
  type RelayProcess,
  type RelayStatusJson,
  readConservation,
} from '@mainframe/localnet'
import { type Hex, MainframeError, unitsToBase } from '@mainframe/protocol'
import type { Mainframe } from '@mainframe/sdk'
import { goOnLine, invite, startNetwork, type TestNetwork } from '../test/e2e/support/network.ts'
import { readChannelGas } from './economy/gas.ts'
import { type Tariff, tariffFlags, tariffOf } from './economy/market.ts'
import { converse } from './economy/traffic.ts'

export interface EconomySize {
  relays: number
  clients: number
  messages: number
}

/** Amounts of money are decimal strings of base units of MFT. */
export interface EconomyFigures extends EconomySize {
  delivered: number
  depositedBase: string
  relaysNetBase: string
  unsignedBase: string
  /** Deposited by users = relays' net + what users did not sign away, to the last base unit. */
  isBalanced: boolean
  /** Relays whose peers cost them more than packets brought in. */
  relaysAtALoss: number
  /** Packets that relays took and were paid for. */
  packetsSettled: number
  claimGas: number
  depositGas: number
  /** Of claims. */
  gasPer1000Packets: number
  market: RelayFigures[]
}

/** One relay; its prices are those of the tariff with the margin. */
export interface RelayFigures extends Tariff {
  /** That it took: passed on, opened as a hop, held, or known already. */
  packets: number
  /** Postage debited for packets that it took, and postage of packets that peers took from it. */
  debitedUnits: number
  passedOnUnits: number
  /** The difference: what relaying has brought. */
  keptUnits: number
  /** On chain. */
  netBase: string
  /** The difference of these two: windows that were paid ahead and not spent, received less given. */
  windowsBase: string
}

/** How many there are unless told otherwise. */
export const ECONOMY_SIZE: EconomySize = { relays: 16, clients: 8, messages: 2_000 }
/** Three hops and an entry relay; whoever writes and who reads. */
const LEAST: EconomySize = { relays: 4, clients: 2, messages: 1 }
const LOOK_MS = 1_000
const QUIET_TIMEOUT_MS = 120_000
/** How often what was signed meanwhile is claimed as well. */
const SETTLE_ROUNDS = 10

/** Throws `VALIDATION_FAILED` for a network that is too small. */
export async function benchEconomy(
  size: EconomySize,
  tell: (progress: string) => void,
): Promise<EconomyFigures> {
  for (const name of ['relays', 'clients', 'messages'] as const) {
    if (size[name] >= LEAST[name]) continue
    throw new MainframeError('VALIDATION_FAILED', `An economy has ${LEAST[name]} ${name} or more`)
  }
  tell(`${size.relays} relays: starting`)
  const network = await startNetwork(size.relays, (place) => ({ flags: tariffFlags(place) }))
  try {
    return await measure(network, size, tell)
  } finally {
    await network.shutdown.stop()
  }
}

async function measure(
  network: TestNetwork,
  size: EconomySize,
  tell: (progress: string) => void,
): Promise<EconomyFigures> {
  const people = await invite(
    network,
    Array.from({ length: size.clients }, (_, i) => `client-${i + 1}`),
  )
  const clients = await Promise.all(people.map((person) => goOnLine(person, network)))
  const delivered = await converse({ clients, messages: size.messages, tell })
  tell('claiming')
  const users = people.map(({ account }) => account)
  const { money, statuses } = await settle(network, { clients, users })
  const gas = await readChannelGas(network.chain)
  const market = statuses.map((status, place) => relayFigures(status, place, money))
  const packetsSettled = market.reduce((sum, { packets }) => sum + packets, 0)
  return {
    ...size,
    delivered,
    depositedBase: `${money.deposited}`,
    relaysNetBase: `${money.relaysNet}`,
    unsignedBase: `${money.unsigned}`,
    isBalanced: money.deposited === money.relaysNet + money.unsigned,
    relaysAtALoss: market.filter(({ keptUnits }) => keptUnits < 0).length,
    packetsSettled,
    claimGas: Number(gas.claims),
    depositGas: Number(gas.deposits),
    gasPer1000Packets: Math.round((1_000 * Number(gas.claims)) / packetsSettled),
    market,
  }
}

function relayFigures(status: RelayStatusJson, place: number, { nets }: Money): RelayFigures {
  const { debitedUnits, passedOnUnits } = status
  const keptUnits = debitedUnits - passedOnUnits
  const netBase = nets[place] ?? 0n
  return {
    ...tariffOf(place),
    packets: takenBy(status),
    debitedUnits,
    passedOnUnits,
    keptUnits,
    netBase: `${netBase}`,
    windowsBase: `${netBase - unitsToBase(keptUnits)}`,
  }
}

/** What chain and clients say of the money, once all that was signed is claimed. */
interface Money {
  deposited: bigint
  relaysNet: bigint
  nets: bigint[]
  /** By the clients' own records of what they signed. */
  unsigned: bigint
}

async function settle(
  { chain, relays }: TestNetwork,
  { clients, users }: { clients: readonly Mainframe[]; users: readonly Hex[] },
): Promise<{ money: Money; statuses: RelayStatusJson[] }> {
  for (let round = 0; round < SETTLE_ROUNDS; round++) {
    const statuses = await untilQuiet(relays)
    await claimAll(relays)
    const { deposited, relaysNet, nets } = await readConservation(chain, relays, users)
    const rows = (await Promise.all(clients.map((client) => client.spending()))).flatMap(
      ({ channels }) => channels,
    )
    if (rows.some(({ signedBase, claimedBase }) => signedBase !== claimedBase)) continue
    const unsigned = rows.reduce((sum, { remainingBase }) => sum + remainingBase, 0n)
    return { money: { deposited, relaysNet, nets, unsigned }, statuses }
  }
  throw new Error('Clients go on signing')
}

/** Resolves with what relays counted when nothing has moved for a moment. */
async function untilQuiet(relays: readonly RelayProcess[]): Promise<RelayStatusJson[]> {
  const deadline = performance.now() + QUIET_TIMEOUT_MS
  let before = ''
  while (performance.now() < deadline) {
    const statuses = await Promise.all(relays.map(fetchStatus))
    const now = JSON.stringify(
      statuses.map(({ outcomes, passedOnUnits }) => [outcomes, passedOnUnits]),
    )
    const isIdle = statuses.every(({ queues }) => queues.linked + queues.unacknowledged === 0)
    if (isIdle && now === before) return statuses
    before = now
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  }
  throw new Error('The relays do not come to rest')
}

const TAKEN = ['forwarded', 'named', 'held', 'respread', 'seen']

function takenBy({ outcomes }: RelayStatusJson): number {
  return TAKEN.reduce((sum, name) => sum + (outcomes[name] ?? 0), 0)
}
