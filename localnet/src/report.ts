/** What `npm start` tells at the end: a table for people, an object for machines. */
import { formatMft, type Hex } from '@mainframe/protocol'
import { type Conservation, shortId } from './settlement.ts'

export interface MessageReport {
  from: string
  to: string
  bytes: number
  packets: number
  hops: number
  delivered: boolean
  /** The fewest relays that hold a packet of the message. */
  relaysReached: number
  /** Relays that could open a packet on its last leg. */
  relaysThatOpenedLastLeg: number
  /** Whether the recipient was away when it was sent. */
  wasOffline: boolean
}

export interface RelayReport {
  nodeId: Hex
  /** Packets taken: passed on, opened as a hop, or held. */
  packets: number
  /** Packets it could open: those that named it as a hop. */
  opened: number
  /** Base units of MFT that it was promised by vouchers, and that it has claimed on chain. */
  earned: bigint
  claimed: bigint
  tx: Hex | null
}

export interface Report {
  ok: boolean
  /** Why not, in one sentence. */
  reason?: string
  seconds: number
  messages: MessageReport[]
  relays: RelayReport[]
  conservation: Conservation
}

/** One JSON object; amounts are decimal strings of base units. */
export function toJson(report: Report): string {
  return JSON.stringify(report, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
}

const RELAY_HEAD = ['relay', 'packets', 'opened', 'MFT earned', 'net', 'MFT claimed']

/** The tables and the plain words of the end. */
export function toText({ messages, relays, conservation, seconds }: Report): string {
  const messageRows = messages.map((message) => [
    `${message.from} → ${message.to}`,
    `${message.bytes}`,
    `${message.packets}`,
    `${message.hops}`,
    message.wasOffline ? 'held, then delivered' : 'delivered',
    `${message.relaysReached} of ${relays.length}`,
  ])
  const relayRows = relays.map((relay, i) => [
    shortId(relay.nodeId),
    `${relay.packets}`,
    `${relay.opened}`,
    formatMft(relay.earned),
    formatMft(conservation.nets[i] ?? 0n),
    formatMft(relay.claimed),
  ])
  // A table with whole hashes would not fit a terminal.
  const claims = relays.map(
    (relay) => `${shortId(relay.nodeId)}  ${relay.tx ?? 'nothing to claim'}`,
  )
  const { deposited, relaysNet, unsigned, gasSpent } = conservation
  return [
    table(['message', 'bytes', 'packets', 'hops', 'state', 'relays reached'], messageRows),
    table(RELAY_HEAD, relayRows),
    `Claim transactions\n${claims.join('\n')}\n`,
    'Relays pay each other ahead for packets: what is earned includes that, the net does not.\n',
    `Deposited by users   ${formatMft(deposited)} MFT`,
    `= relays' net        ${formatMft(relaysNet)} MFT`,
    `+ not signed away    ${formatMft(unsigned)} MFT   (read from the chain, exact to the last base unit)`,
    `Gas, apart           ${formatMft(gasSpent)} of the chain's coin`,
    '',
    observation(messages, relays.length),
    '',
    `The story took ${seconds.toFixed(1)} s.`,
  ].join('\n')
}

/** What an observer of every relay saw. */
function observation(messages: readonly MessageReport[], relays: number): string {
  const reached = Math.min(...messages.map(({ relaysReached }) => relaysReached))
  const openers = Math.max(...messages.map((message) => message.relaysThatOpenedLastLeg))
  return [
    `What an observer saw: every packet of a message, on its last leg, reached ${reached} of ${relays} relays.`,
    openers === 0
      ? 'None of them could open it. The one key that can is the recipient’s, and nothing that any relay did shows who that is.'
      : `${openers} of them could open one, which must never happen.`,
  ].join('\n')
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, ...rows]
  const widths = head.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)))
  const text = lines.map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '))
  return `${text.map((line) => line.trimEnd()).join('\n')}\n`
}
