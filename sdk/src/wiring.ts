/** How the parts of a client know each other. */
import { type Hex, inboxAddress, MainframeError } from '@mainframe/protocol'
import type { ClientContext } from './context.ts'
import type { Completed } from './messages/completed.ts'
import type { ReceivedMessage } from './messages/deliveries.ts'
import { Outbox, type OutboxOptions } from './messages/outbox.ts'
import { type PersonalOptions, personalReceiver } from './messages/personal.ts'
import type { Receiver } from './messages/receiver.ts'
import { Courier } from './network/courier.ts'
import { Entry } from './network/entry.ts'
import { GroupInboxes } from './network/group-inboxes.ts'
import { connect as connectByLibp2p } from './network/host.ts'
import { Inbox } from './network/inbox.ts'
import type { ClientOptions, MainframeOptions } from './options.ts'
import type { Aside } from './platform/aside.ts'

/** Wait before the directory is asked for again for somebody who wants to send. */
const DIRECTORY_RETRY_MS = 5_000

type Known = Pick<
  ClientContext,
  | 'settings'
  | 'clock'
  | 'random'
  | 'store'
  | 'chain'
  | 'account'
  | 'channels'
  | 'keyPair'
  | 'experience'
  | 'directory'
  | 'guards'
> & { completed: Completed; aside: Aside | undefined }

/** The parts that know each other only by callbacks: none of them calls before all are there. */
export function wire(known: Known, options: ClientOptions): ClientContext {
  const { settings, clock, random, store, directory, experience, keyPair } = known
  const connect = options.connect ?? connectByLibp2p
  const late = {
    pump: () => {},
    check: () => {},
    distrust: () => {},
    again: (_relays: readonly string[]) => {},
    operators: (): ReadonlySet<Hex> => new Set(),
  }
  const outbox = createOutbox(known, {
    onWork: () => late.pump(),
    onNothingBack: () => late.distrust(),
  })
  const onRoom = (relays: readonly string[]) => late.again(relays)
  const receiver = createReceiver(known, outbox, { ...options, onRoom })
  const shared = { directory, connect, clock, settings }
  const tell = telling(options.onBackgroundError)
  const onFatal = (error: unknown) => {
    outbox.failAll(error)
    tell(error)
  }
  const entry: Entry = new Entry({
    ...shared,
    channels: known.channels,
    guards: known.guards,
    experience,
    avoidedOperators: () => late.operators(),
    listener: {
      onReady: () => late.pump(),
      onAccepted: (shipment) => courier.onAccepted(shipment),
      onRefused: (shipment, reason) => courier.onRefused(shipment, reason),
      onLinkClosed: (unacknowledged) => courier.onLinkClosed(unacknowledged),
      onFatal,
      onRelay: () => late.check(),
    },
  })
  const onDirectoryError = (error: unknown) => {
    if (isPassing(error)) clock.after(DIRECTORY_RETRY_MS, () => late.pump())
    else onFatal(error)
  }
  const travel = { directory, experience, clock, random }
  const courier = new Courier({ source: outbox, entry, onDirectoryError, ...travel })
  const { deployment } = options.network
  const { aside } = known
  const places = { ...shared, deployment, store, random, aside, entry: () => entry.relay }
  const groups: GroupInboxes = new GroupInboxes({
    ...places,
    personal: () => inbox.operators,
    onEcho: (messageKey, index) => outbox.onEcho(messageKey, index),
    onHandlerError: telling(options.onHandlerError),
  })
  const address = inboxAddress(keyPair.publicKey)
  const others = () => groups.operators
  const inbox: Inbox = new Inbox({ ...places, address, receiver, others })
  late.pump = () => courier.pump()
  late.check = () => {
    void inbox.check()
    void groups.check()
  }
  late.distrust = () => void entry.distrust().catch(onFatal) // the store failed
  // a relay that cannot be asked now is resumed there when it is connected again
  late.again = (relays) => void inbox.again(relays).catch(() => {})
  late.operators = () => new Set([...inbox.operators, ...groups.operators])
  return { ...known, connect, outbox, receiver, entry, courier, inbox, groups }
}

function createOutbox(
  known: Known,
  listener: Pick<OutboxOptions, 'onWork' | 'onNothingBack'>,
): Outbox {
  const { settings, clock, random, experience, keyPair, directory } = known
  const { holdClass, hops, delayMs, times } = settings
  return new Outbox({
    clock,
    random,
    experience,
    replyTo: keyPair.publicKey,
    times,
    carriage: { holdClass, hops, delayMs },
    restMs: settings.profile.restMs,
    ...listener,
    onUnderpaid: () => directory.outdate(),
  })
}

function createReceiver(
  { settings, clock, random, keyPair, completed }: Known,
  outbox: Outbox,
  {
    onHandlerError,
    onRoom,
  }: Pick<MainframeOptions, 'onHandlerError'> & Pick<PersonalOptions, 'onRoom'>,
): Receiver<ReceivedMessage> {
  return personalReceiver({
    keyPair,
    clock,
    random,
    completed,
    ackDelayMs: settings.ackDelayMs,
    quietMs: settings.times.quietMs,
    acknowledge: (acknowledgement) => outbox.acknowledge(acknowledgement),
    onAcknowledgement: (acknowledgement) => outbox.onAcknowledgement(acknowledgement),
    onLoop: (token) => outbox.onLoop(token),
    onRoom,
    onHandlerError: telling(onHandlerError),
  })
}

/** A callback of the application only informs it: what it throws is its own business. */
export function telling(tell: ((error: unknown) => void) | undefined): (error: unknown) => void {
  return (error) => {
    try {
      tell?.(error)
    } catch {
      // nobody is there to be told
    }
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof MainframeError && error.retryable
}
