/** Every way a packet can end, by name (PROTOCOL.md §2). Misbehaviour is counted, never thrown. */
import { PACKET_REFUSALS } from '@mainframe/protocol'

/**
 * What became of an arriving packet: the refusals that its sender is told, then
 * `seen` (a duplicate, the route fee was debited), `forwarded`, `named` (this relay is the one named
 * hop), `held`, and `respread` (held before, spread further for a lower level). None of them depends
 * on whether this relay could open the packet.
 */
export const PACKET_OUTCOMES = [
  ...PACKET_REFUSALS,
  'seen',
  'forwarded',
  'named',
  'held',
  'respread',
] as const
export type PacketOutcome = (typeof PACKET_OUTCOMES)[number]

/**
 * What happened after opening; shown per interval only (PROTOCOL.md §10). `forward`, `message` and
 * `drop` are instructions that were obeyed. The others were dropped in silence: `damaged` (sealed
 * for us, but not intact), `invalid` (no instruction), `misplaced` (a FORWARD outside a named leg),
 * `restarted`, `repeated` (acted on this key before), `short` (names more postage than came in),
 * `crowded` (the delay queue is full), `lost` (the inner packet found no way on).
 */
export const OPENED_OUTCOMES = [
  'forward',
  'message',
  'drop',
  'damaged',
  'invalid',
  'misplaced',
  'restarted',
  'repeated',
  'short',
  'crowded',
  'lost',
] as const
export type OpenedOutcome = (typeof OPENED_OUTCOMES)[number]

/** A counter for each of some names. */
export type Counts<Name extends string> = Record<Name, number>

export function createCounts<Name extends string>(names: readonly Name[]): Counts<Name> {
  return Object.fromEntries(names.map((name) => [name, 0])) as Counts<Name>
}
