/** The main job, step by step: what `npm start` shows and the end-to-end tests run. */
import { createHash } from 'node:crypto'
import { encodeContactCode, equalBytes, formatMft, MainframeError } from '@mainframe/protocol'
import type { Mainframe, ReceivedMessage, Sent } from '@mainframe/sdk'
import { type Chain, startChain } from './chain.ts'
import { claimAll } from './claims.ts'
import { type Indexer, startIndexer } from './indexer.ts'
import { writeNetworkProfile } from './network-profile.ts'
import { observeHeldPackets, traceMessages } from './observer.ts'
import { createPeople, openClient, type Person } from './people.ts'
import { fetchStatus, type RelayProcess, startRelays } from './relays.ts'
import type { MessageReport, RelayReport, Report } from './report.ts'
import { readConservation, shortId } from './settlement.ts'
import type { Shutdown } from './shutdown.ts'

export interface StoryOptions {
  message: Uint8Array
  relays: number
  folder: string
  chainPort: number
  indexerPort: number
  shutdown: Shutdown
}

/** A step: its title, and what it does; `tell` shows progress. It returns what came of it. */
export interface Step {
  title: string
  run(tell: (text: string) => void): Promise<string>
}

/** Alice, Bob and the network in the course of the story. */
interface World {
  chain: Chain
  indexer: Indexer
  /** Relays that start while the indexer does: they need only the chain. */
  starting: Promise<RelayProcess[]>
  tellOfRelays(text: string): void
  relays: RelayProcess[]
  alice: Person
  bob: Person
  clients: Map<Person, Mainframe>
  records: MessageRecord[]
}

/** A message as its sender and its recipient know it. */
interface MessageRecord {
  sent: Sent
  from: Person
  to: Person
  bytes: number
  wasOffline: boolean
}

const HOPS = 3
const DELIVERY_TIMEOUT_MS = 120_000

/** The steps in order, and the report that they fill. */
export function createStory(options: StoryOptions): { steps: Step[]; report(): Promise<Report> } {
  const startedAt = performance.now()
  const world = { clients: new Map(), records: [] } as unknown as World
  let relayReports: RelayReport[] = []
  const step = (title: string, run: Step['run']): Step => ({ title, run })
  const steps = [
    step('Start the chain and deploy the contracts', () => bringUpChain(world, options)),
    step('Start the indexer', () => bringUpIndexer(world, options)),
    step(`Start ${options.relays} relays`, (tell) => bringUpRelays(world, tell)),
    step('Alice and Bob find relays and open channels', (tell) =>
      bringPeople(world, options, tell),
    ),
    step('Alice writes to Bob', (tell) => aliceWrites(world, options.message, tell)),
    step('Bob answers', (tell) => bobAnswers(world, options.message, tell)),
    step('Alice writes while Bob is away', (tell) => bobReturns(world, tell)),
    step('The relays claim what they earned', async (tell) => {
      relayReports = await settle(world, tell)
      const total = relayReports.reduce((sum, { claimed }) => sum + claimed, 0n)
      return `${formatMft(total)} MFT claimed on chain by ${relayReports.length} relays`
    }),
  ]
  const report = async (): Promise<Report> => {
    const messages = await messageReports(world)
    const accounts = [world.alice.account, world.bob.account]
    const conservation = await readConservation(world.chain, world.relays, accounts)
    const reason = findFault(messages, relayReports, conservation.ok)
    const seconds = Math.round(performance.now() - startedAt) / 1_000
    const verdict = reason === undefined ? { ok: true } : { ok: false, reason }
    return { ...verdict, seconds, messages, relays: relayReports, conservation }
  }
  return { steps, report }
}

async function bringUpChain(world: World, options: StoryOptions): Promise<string> {
  const { folder, chainPort: port, shutdown } = options
  world.chain = await startChain({ folder, port, shutdown })
  const { rpcUrl, deployment } = world.chain
  return `${rpcUrl}, PaymentChannels at ${deployment.channels}`
}

async function bringUpIndexer(world: World, options: StoryOptions): Promise<string> {
  const { folder, indexerPort: port, shutdown } = options
  beginRelays(world, options)
  world.indexer = await startIndexer({ chain: world.chain, folder, port, shutdown })
  const { chain, indexer } = world
  await writeNetworkProfile({ chain, indexer, folder, shutdown })
  const { url } = world.indexer
  return `docs ${url}/docs, discovery ${url}/v1/discover`
}

function beginRelays(world: World, { folder, relays: count, shutdown }: StoryOptions): void {
  const { chain } = world
  world.tellOfRelays = () => {}
  const onProgress = (text: string) => world.tellOfRelays(text)
  world.starting = startRelays({ chain, folder, count, shutdown, onProgress })
  world.starting.catch(() => {}) // the step that waits for them reports it
}

async function bringUpRelays(world: World, tell: (text: string) => void): Promise<string> {
  world.tellOfRelays = tell
  world.relays = await world.starting
  return `${world.relays.length} processes with stake and prices, each linked to all others`
}

async function bringPeople(
  world: World,
  { folder, shutdown }: StoryOptions,
  tell: (text: string) => void,
): Promise<string> {
  tell('Alice and Bob get MFT')
  const [alice, bob] = await createPeople(world.chain, folder, ['Alice', 'Bob'])
  if (!alice || !bob) throw new MainframeError('INTERNAL', 'Two people were created')
  Object.assign(world, { alice, bob })
  shutdown.add(async () => {
    for (const client of world.clients.values()) await client.close()
  })
  tell('They ask the indexer, and check its answers on chain')
  const channels = await Promise.all([alice, bob].map((person) => connect(world, person)))
  return channels.join('; ')
}

async function connect(world: World, person: Person): Promise<string> {
  const client = await openClient(person, world)
  world.clients.set(person, client)
  await waitForRelays(client, world.relays.length)
  const { nodeId, depositBase } = await client.openChannel()
  return `${person.name} pays ${shortId(nodeId)} from ${formatMft(depositBase)} MFT`
}

/** The indexer is a block or two behind the chain. */
async function waitForRelays(client: Mainframe, count: number): Promise<void> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const { activeRelays } = await client.discover()
    if (activeRelays === count) return
    if (Date.now() > deadline) {
      const message = `The indexer lists ${activeRelays} of ${count} relays`
      throw new MainframeError('NETWORK_NO_RELAY', message)
    }
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

async function aliceWrites(
  world: World,
  bytes: Uint8Array,
  tell: (text: string) => void,
): Promise<string> {
  const { alice, bob } = world
  await exchange(world, { from: alice, to: bob, bytes, tell })
  return `Bob opened ${bytes.length} bytes, the same that Alice sent`
}

async function bobAnswers(
  world: World,
  received: Uint8Array,
  tell: (text: string) => void,
): Promise<string> {
  const { alice, bob } = world
  const digest = createHash('sha256').update(received).digest('hex')
  const bytes = new TextEncoder().encode(`I have read ${received.length} bytes: sha256 ${digest}`)
  await exchange(world, { from: bob, to: alice, bytes, tell })
  return `Alice opened it: "${new TextDecoder().decode(bytes).slice(0, 60)}…"`
}

async function bobReturns(world: World, tell: (text: string) => void): Promise<string> {
  const { alice, bob, clients, records } = world
  await clientOf(world, bob).close()
  clients.delete(bob)
  tell('Bob is away')
  const bytes = new TextEncoder().encode('You were away. The relays held this for you.')
  const sent = await clientOf(world, alice).send(codeOf(bob), bytes, { hops: HOPS })
  records.push({ sent, from: alice, to: bob, bytes: bytes.length, wasOffline: true })
  await withTimeout(sent.accepted, 'The entry relay did not take the message')
  tell('The relays hold the message; Bob returns')
  const client = await openClient(bob, world)
  clients.set(bob, client)
  const received = nextMessage(client, sent.messageId)
  assertSame((await withTimeout(received, 'The held message did not arrive')).bytes, bytes)
  await withTimeout(sent.delivered, 'The held message was not acknowledged')
  return 'Bob found it when he returned'
}

interface Exchange {
  from: Person
  to: Person
  bytes: Uint8Array
  tell(text: string): void
}

async function exchange(world: World, { from, to, bytes, tell }: Exchange): Promise<void> {
  const onProgress = ({ packets, accepted, arrived }: Sent['progress']) =>
    tell(`${packets} packets through ${HOPS} hops: ${accepted} taken, ${arrived} arrived`)
  const options = { hops: HOPS, onProgress }
  const sent = await clientOf(world, from).send(codeOf(to), bytes, options)
  world.records.push({ sent, from, to, bytes: bytes.length, wasOffline: false })
  const received = nextMessage(clientOf(world, to), sent.messageId)
  const { bytes: opened } = await withTimeout(received, `${to.name} did not get the message`)
  assertSame(opened, bytes)
  await withTimeout(sent.delivered, `${to.name} did not acknowledge the message`)
}

function clientOf({ clients }: World, person: Person): Mainframe {
  const client = clients.get(person)
  if (!client) throw new MainframeError('INTERNAL', `${person.name} is not on line`)
  return client
}

function codeOf({ inbox }: Person): string {
  return encodeContactCode(inbox.publicKey)
}

/** The message with that id; others are left to the handlers that wait for them. */
async function nextMessage(client: Mainframe, messageId: string): Promise<ReceivedMessage> {
  const { promise, resolve } = Promise.withResolvers<ReceivedMessage>()
  const remove = client.onMessage(async (message) => {
    if (message.id === messageId) resolve(message)
  })
  return await promise.finally(remove)
}

function assertSame(received: Uint8Array, sent: Uint8Array): void {
  if (equalBytes(received, sent)) return
  throw new MainframeError('INTERNAL', 'What was received is not what was sent')
}

async function withTimeout<T>(promise: Promise<T>, failure: string): Promise<T> {
  const timeout = Promise.withResolvers<never>()
  const error = new MainframeError('NETWORK_TIMEOUT', `${failure} within two minutes`)
  const timer = setTimeout(() => timeout.reject(error), DELIVERY_TIMEOUT_MS)
  try {
    return await Promise.race([promise, timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Closes the clients, so that nothing new begins, and lets every relay claim. */
async function settle(world: World, tell: (text: string) => void): Promise<RelayReport[]> {
  for (const client of world.clients.values()) await client.close()
  world.clients.clear()
  tell('Each relay claims its vouchers, many in a transaction')
  return await claimAll(world.relays)
}

/** Joins what the senders know with what an outsider finds at the relays. */
async function messageReports({ relays, chain, records }: World): Promise<MessageReport[]> {
  const held = await observeHeldPackets(relays, chain.deployment)
  const statuses = await Promise.all(relays.map(fetchStatus))
  const openers = statuses.filter(({ opened }) => opened.message + opened.drop > 0).length
  return records.map(({ sent, from, to, bytes, wasOffline }) => {
    const trace = traceMessages(held, to.inbox).get(`0x${sent.messageId}`)
    return {
      from: from.name,
      to: to.name,
      bytes,
      packets: trace?.packets ?? 0,
      hops: sent.hops,
      delivered: sent.state === 'delivered',
      relaysReached: trace?.relaysReached ?? 0,
      relaysThatOpenedLastLeg: openers,
      wasOffline,
    }
  })
}

/** The first thing that is not as it must be. */
function findFault(
  messages: readonly MessageReport[],
  relays: readonly RelayReport[],
  isConserved: boolean,
): string | undefined {
  if (messages.some(({ delivered }) => !delivered)) return 'A message was not delivered'
  if (messages.some(({ relaysReached }) => relaysReached === 0)) return 'A packet reached no relay'
  if (messages.some((message) => message.relaysThatOpenedLastLeg > 0)) {
    return 'A relay could open a packet on its last leg'
  }
  if (relays.some(({ earned, claimed }) => earned !== claimed)) return 'A relay has unclaimed money'
  return isConserved ? undefined : 'Deposits are not what relays earned and users kept'
}
