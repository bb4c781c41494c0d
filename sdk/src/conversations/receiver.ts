/** What comes in: opened, checked, made durable, and handed to whom it concerns. */

import { sharedEpoch } from './branches.ts'
import { type Core, count, groupOf, headOf, isSeen, remember, tell } from './core.ts'
import { keepsUp } from './deliveries.ts'
import type { Epoch } from './epoch.ts'
import { MAX_AHEAD, MAX_HEADS } from './limits.ts'
import type { Opened } from './opener.ts'
import { decodePayload, type Payload } from './payloads.ts'
import { nameOf } from './reader.ts'
import type { Recovery } from './recovery.ts'
import type { Shows } from './shows.ts'
import type { Speaker } from './speaker.ts'
import type { Stewardship } from './stewardship.ts'
import type { Talk } from './talk.ts'
import type { Whereabouts } from './whereabouts.ts'
import { decodeWire } from './wire.ts'

/** The parts of a conversation that something can concern. */
export interface Parts {
  speaker: Speaker
  recovery: Recovery
  shows: Shows
  talk: Talk
  stewardship: Stewardship
  whereabouts: Whereabouts
  /** A new epoch is known. */
  adopt: (epoch: Epoch) => Promise<void>
  /** Witnesses have changed: another branch may count now. */
  rechoose: () => Promise<void>
  end: (reason: 'removed' | 'left') => Promise<void>
}

/** Takes in what the network brings; the outcome has a name, which is counted. */
export async function receive(core: Core, parts: Parts, bytes: Uint8Array): Promise<string> {
  const outcome = await receiveWire(core, parts, bytes)
  count(core, outcome)
  return outcome
}

async function receiveWire(core: Core, parts: Parts, bytes: Uint8Array): Promise<string> {
  if (!core.epochs.head) return 'ended'
  const body = decodeWire(bytes)
  if (!body) return 'malformed'
  return receiveBody(core, parts, body)
}

/** Opens an MLS message; also one that was parked. */
export async function receiveBody(core: Core, parts: Parts, body: Uint8Array): Promise<string> {
  if (isSeen(core, body) && !core.opener.isCommit(body)) return 'duplicate'
  const outcome = await openBody(core, parts, body)
  if (outcome !== 'parked' && outcome !== 'overtaken') remember(core, body)
  return outcome
}

async function openBody(core: Core, parts: Parts, body: Uint8Array): Promise<string> {
  const opened = await core.opener.open(body, core.ports.clock.now())
  switch (opened.kind) {
    case 'message': {
      const outcome = await receivePayload(core, parts, opened)
      // What it says is durable by now, so its key may be used up for good.
      if (core.epochs.get(opened.epoch.id)) await core.epochs.persist(opened.epoch)
      return outcome
    }
    case 'commit':
      await parts.adopt(opened.epoch)
      return 'commit'
    case 'known-commit':
      showWhatFollows(core, parts, opened.epoch)
      parts.shows.saw(opened.epoch.id)
      return 'duplicate'
    case 'removed':
      await parts.rechoose()
      return core.epochs.head ? 'overtaken' : 'removed'
    case 'refused-commit':
      return `commit-${opened.why}`
    case 'unopened':
      return parkUnopened(core, parts, body, opened)
    case 'too-old':
      parts.shows.want(opened.number)
      return 'too-old'
    default:
      return opened.kind
  }
}

async function parkUnopened(
  core: Core,
  parts: Parts,
  body: Uint8Array,
  { number }: Extract<Opened, { kind: 'unopened' }>,
): Promise<string> {
  if (number > headOf(core).epoch + MAX_AHEAD) return 'too-far'
  await core.parked.park(body, number)
  // Either a commit is missing here, or its sender lacks one: both sides show what they have.
  const oldest = core.epochs.chain.at(-1)?.epoch ?? 0
  parts.shows.want(Math.max(0, Math.min(oldest, number - 1)))
  parts.speaker.complain()
  return 'parked'
}

/** Whoever speaks in an epoch that is over may not know what came after it. */
function showWhatFollows(core: Core, parts: Parts, epoch: Epoch): void {
  const { epochs, ports } = core
  if (epoch === epochs.head) return
  const shared = sharedEpoch(epochs.chain, (id) => epochs.get(id), epoch)
  if (shared === undefined) return
  const next = epochs.chain.find(({ epoch: number }) => number === shared + 1)
  // Right after a commit many messages of the epoch before are still on their way.
  if (next && ports.clock.now() - next.createdAtMs < ports.times.showMs) return
  parts.shows.want(shared)
}

async function receivePayload(
  core: Core,
  parts: Parts,
  { epoch, sender, text }: Extract<Opened, { kind: 'message' }>,
): Promise<string> {
  showWhatFollows(core, parts, epoch)
  const payload = decodePayload(text)
  if (!payload) return 'payload-malformed'
  const name = nameOf(sender.inboxKey)
  parts.whereabouts.heard(name, epoch)
  const isMember = groupOf(core).members.some(({ inboxKey }) => nameOf(inboxKey) === name)
  switch (payload.kind) {
    case 'message':
      return takeMessages(core, parts, [payload.bytes], name)
    case 'give':
      return takeMessages(core, parts, payload.messages, undefined)
    case 'sync':
      return isMember ? receiveSync(core, parts, name, payload) : 'from-former-member'
    case 'ask':
      return isMember ? parts.recovery.asked(name, payload.refs) : 'from-former-member'
    case 'request':
      return parts.stewardship.received(sender.inboxKey, payload.id, payload.wish)
    case 'whisper': {
      const { type, body } = payload
      tell(core.ports, { type: 'whisper', sender: sender.inboxKey, kind: type, body })
      return 'whisper'
    }
  }
}

async function takeMessages(
  core: Core,
  parts: Parts,
  messages: readonly Uint8Array[],
  from: string | undefined,
): Promise<string> {
  let outcome = 'give-empty'
  for (const bytes of messages) {
    outcome = await parts.talk.take(bytes, from)
    if (from === undefined) count(core, outcome)
  }
  parts.recovery.update()
  if (core.epochs.hasRival) await parts.rechoose()
  return from === undefined ? 'give' : outcome
}

async function receiveSync(
  core: Core,
  parts: Parts,
  name: string,
  { statement, wantsAnswer }: Extract<Payload, { kind: 'sync' }>,
): Promise<string> {
  const { history, people, ports } = core
  let outcome = 'sync'
  for (const ref of [...statement.heads, ...statement.lacking]) {
    if (history.want(ref, name, ports.clock.now()) === 'refused') outcome = 'sync-flood'
  }
  await parts.talk.state(name, statement)
  parts.recovery.update()
  const floor = people.get(name)?.floor ?? 0
  const heads = history.heads(MAX_HEADS).filter(({ lamport }) => lamport > floor)
  if (wantsAnswer) parts.speaker.owe()
  else if (!keepsUp(history, statement, heads)) parts.speaker.answer(name, statement)
  return outcome
}
