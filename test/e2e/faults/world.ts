/** The one network of all fault tests: which of its relays are faulty, and people who use which relay. */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchStatus, type Launch, type Person, type RelayProcess } from '@mainframe/localnet'
import { seededRandom } from '../../sdk/support/seeded-random.ts'
import { dropping, fullDiskAt, garbling, skewedBy } from '../support/launches.ts'
import { Mailbox } from '../support/mailbox.ts'
import { goOnLine, invite, startNetwork, type TestNetwork } from '../support/network.ts'
import type { Party } from '../support/party.ts'

const TWO_MINUTES_MS = 120_000
/** More than all other tests put into a file of a relay. */
const DISK_BYTES = 2 * 1024 * 1024
export const QUOTA_BYTES = 2_000_000
export const MOST_SUBSCRIPTIONS = 60

/**
 * Starting sixteen relays is what costs most, so those that are faulty are so from the start. Relays
 * with a slow clock ask for a unit more with every minute, so that a minute shows in what they ask.
 */
const LAUNCHES: readonly Launch[] = [
  skewedBy(TWO_MINUTES_MS),
  skewedBy(TWO_MINUTES_MS),
  { ...skewedBy(-TWO_MINUTES_MS), flags: ['--hold-units-per-hour', '60'] },
  { ...skewedBy(-TWO_MINUTES_MS), flags: ['--hold-units-per-hour', '60'] },
  dropping,
  garbling,
  fullDiskAt(DISK_BYTES),
  { flags: ['--hold-quota-bytes', `${QUOTA_BYTES}`] },
  { flags: ['--max-subscriptions', `${MOST_SUBSCRIPTIONS}`] },
]
const ROLES = [
  'fast',
  'fast2',
  'slow',
  'slow2',
  'dropper',
  'garbler',
  'fullDisk',
  'quota',
  'crowded',
] as const
type Role = (typeof ROLES)[number]

/** As relays do by default: sixteen that look ten times a second would keep the machine busy. */
export const USUAL: Launch = { flags: ['--poll-interval-ms', '1000'] }
export const RELAYS = 16
const PEOPLE = 7

export interface FaultWorld {
  network: TestNetwork
  /** Two who stay on line for most of the story, and use relays that become faulty. */
  alice: Party
  bob: Party
  /** Who has a wallet and was not on line yet. */
  strangers: Person[]
  /** Accounts of everybody. */
  accounts: Person['account'][]
  seed: number
  random(): number
  relay(role: Role): RelayProcess
  /** Relays that nothing is wrong with. */
  readonly sound: readonly RelayProcess[]
}

export async function startFaultWorld(): Promise<FaultWorld> {
  const network = await startNetwork(RELAYS, launchOf)
  const names = Array.from({ length: PEOPLE }, (_, i) => `Person ${i + 1}`)
  const strangers: Person[] = await invite(network, names)
  const seed = randomInt(2 ** 31)
  const world = {
    network,
    strangers: [...strangers],
    accounts: strangers.map(({ account }) => account),
    seed,
    random: seededRandom(seed),
    relay: (role: Role) => at(network.relays, ROLES.indexOf(role)),
    get sound() {
      return network.relays.slice(ROLES.length)
    },
  }
  const pinsOf = (entry: Role, subscriptions: readonly Role[]) => ({
    entry: world.relay(entry),
    subscriptions: subscriptions.map(world.relay),
  })
  const [alice, bob] = await Promise.all([
    bring(world, pinsOf('fast', ['crowded', 'dropper'])),
    bring(world, pinsOf('slow2', ['fast2', 'garbler'])),
  ])
  return Object.assign(world, { alice, bob })
}

function launchOf(index: number): Launch {
  const { flags = [], ...others } = LAUNCHES[index] ?? {}
  return { ...others, flags: [...flags, ...(USUAL.flags ?? [])] }
}

/** Relays that a client uses first, since it finds them in its store as those of its last time. */
export interface Pins {
  entry?: RelayProcess
  subscriptions?: readonly RelayProcess[]
}

type People = Pick<FaultWorld, 'strangers'>

/** Somebody with a wallet whose store names these relays. */
export async function prepare({ strangers }: People, pins: Pins): Promise<Person> {
  const person = strangers.shift() ?? assert.fail('invite more people')
  await pin(person, pins)
  return person
}

/** To be called while the person is not on line. */
export async function pin({ storeFolder }: Person, { entry, subscriptions }: Pins): Promise<void> {
  const write = (key: string, relays: readonly RelayProcess[]) =>
    writeFile(join(storeFolder, key), JSON.stringify(relays.map(({ nodeId }) => nodeId)))
  if (entry) await write('entries', [entry])
  if (subscriptions) await write('subscriptions', subscriptions)
}

/** Brings somebody on line who uses these relays, at least at first. */
export async function bring(
  world: People & { network: TestNetwork },
  pins: Pins = {},
): Promise<Party> {
  const person = await prepare(world, pins)
  const client = await goOnLine(person, world.network)
  return { client, inbox: person.inbox, mailbox: new Mailbox(client), sent: [] }
}

/** A figure of the relay's `/status`, of several of them the sum. */
export async function count(
  relays: readonly RelayProcess[],
  read: (status: Awaited<ReturnType<typeof fetchStatus>>) => number | undefined,
): Promise<number> {
  const statuses = await Promise.all(relays.map(fetchStatus))
  return statuses.reduce((sum, status) => sum + (read(status) ?? 0), 0)
}

export function at<T>(items: readonly T[], index: number): T {
  return items[index] ?? assert.fail(`there is no item ${index}`)
}
