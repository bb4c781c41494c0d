/**
 * What an outsider sees who asks every relay for everything it holds, without paying or being known
 * to anybody: the evidence for how far a packet was spread.
 */

import { Network } from '@mainframe/node'
import {
  type Deployment,
  decodeInstruction,
  fromHex,
  type Hex,
  type KeyPair,
  LINK_VERSION,
  MainframeError,
  openPacket,
  PayerLink,
  packetEnc,
  toHex,
} from '@mainframe/protocol'

export interface ObservedRelay {
  nodeId: Hex
  nodeKey: Uint8Array
  multiaddrs: readonly string[]
}

/** A packet on its last leg, and the relays that hold it. */
export interface HeldPacket {
  packet: Uint8Array
  relays: Set<Hex>
}

const CATCH_UP_TIMEOUT_MS = 20_000

/** Every packet that any of the relays holds. Throws `NETWORK_TIMEOUT` when one does not answer. */
export async function observeHeldPackets(
  relays: readonly ObservedRelay[],
  deployment: Deployment,
): Promise<HeldPacket[]> {
  const network = new Network({
    nodeSeed: crypto.getRandomValues(new Uint8Array(32)),
    listen: [],
    maxConnections: relays.length + 1,
    maxConnectionsPerSecond: 1,
  })
  await network.start(() => {})
  const held = new Map<Hex, HeldPacket>()
  const note = (nodeId: Hex, packet: Uint8Array) => {
    const enc = toHex(packetEnc(packet))
    const known = held.get(enc)
    if (known) known.relays.add(nodeId)
    else held.set(enc, { packet, relays: new Set([nodeId]) })
  }
  try {
    await Promise.all(
      relays.map((relay) => readHeld(network, relay, deployment, (p) => note(relay.nodeId, p))),
    )
  } finally {
    await network.stop()
  }
  return [...held.values()]
}

async function readHeld(
  network: Network,
  relay: ObservedRelay,
  { chainId, channels }: Deployment,
  onPacket: (packet: Uint8Array) => void,
): Promise<void> {
  const signal = AbortSignal.timeout(CATCH_UP_TIMEOUT_MS)
  const caughtUp = Promise.withResolvers<void>()
  const fail = () => {
    const message = 'A relay did not deliver what it holds in time'
    caughtUp.reject(new MainframeError('NETWORK_TIMEOUT', message))
  }
  signal.addEventListener('abort', fail)
  const link = new PayerLink(await network.open(relay, signal), {
    onDeliver: onPacket,
    onCaughtUp: () => caughtUp.resolve(),
    onClosed: fail,
  })
  const hello = { version: LINK_VERSION, chainId, signedQuotes: [] }
  await link.handshake({ ...hello, channels: fromHex(channels, 20) })
  link.subscribe({ bits: 0, prefix: new Uint8Array(32), cursor: 0 })
  await caughtUp.promise.finally(() => signal.removeEventListener('abort', fail))
  await link.close()
}

/** How far the packets of one message were spread. */
export interface MessageTrace {
  /** Different packets of the message, sent again or not. */
  packets: number
  /** The fewest relays that hold one of them. */
  relaysReached: number
}

/** Sorts the packets that `inbox` opens by message id; what it does not open is somebody else's. */
export function traceMessages(held: readonly HeldPacket[], inbox: KeyPair): Map<Hex, MessageTrace> {
  const traces = new Map<Hex, MessageTrace>()
  for (const { packet, relays } of held) {
    const content = openPacket(packet, inbox)
    const instruction = typeof content === 'string' ? undefined : decodeInstruction(content)
    if (instruction?.kind !== 'message') continue
    const id = toHex(instruction.messageId)
    const trace = traces.get(id) ?? { packets: 0, relaysReached: relays.size }
    trace.packets += 1
    trace.relaysReached = Math.min(trace.relaysReached, relays.size)
    traces.set(id, trace)
  }
  return traces
}
