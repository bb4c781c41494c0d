/** What `npm start -- --json` must print. */
import assert from 'node:assert/strict'

interface JsonMessage {
  from: string
  to: string
  bytes: number
  packets: number
  hops: number
  delivered: boolean
  relaysReached: number
  relaysThatOpenedLastLeg: number
  wasOffline: boolean
}

interface JsonRelay {
  nodeId: string
  packets: number
  opened: number
  earned: string
  claimed: string
  tx: string | null
}

interface JsonConservation {
  deposited: string
  relaysNet: string
  nets: string[]
  unsigned: string
  ok: boolean
  gasSpent: string
}

export interface JsonReport {
  ok: boolean
  seconds: number
  messages: JsonMessage[]
  relays: JsonRelay[]
  conservation: JsonConservation
}

const MESSAGE_BYTES = 1566
const WORD = /^0x[0-9a-f]{64}$/
const AMOUNT = /^\d+$/

/** `bytes`: what Alice was told to send. */
export function assertReport(
  report: JsonReport,
  { relays: count, bytes }: { relays: number; bytes: number },
): void {
  assert.equal(report.ok, true, JSON.stringify(report))
  assertKeys(report, ['ok', 'seconds', 'messages', 'relays', 'conservation'])
  assert.ok(report.seconds > 0)
  assertMessages(report.messages, count, bytes)
  assertRelays(report.relays, report.messages, count)
  assertConservation(report.conservation, report.relays)
}

function assertMessages(messages: readonly JsonMessage[], relays: number, bytes: number): void {
  const ways = messages.map(({ from, to, wasOffline }) => ({ from, to, wasOffline }))
  assert.deepEqual(ways, [
    { from: 'Alice', to: 'Bob', wasOffline: false },
    { from: 'Bob', to: 'Alice', wasOffline: false },
    { from: 'Alice', to: 'Bob', wasOffline: true },
  ])
  assert.equal(messages[0]?.bytes, bytes)
  for (const { packets, bytes: length, ...message } of messages) {
    assert.ok(packets >= Math.ceil(length / MESSAGE_BYTES), `${packets} packets`)
    const { from, to, wasOffline, ...rest } = message
    assert.deepEqual(rest, {
      hops: 3,
      delivered: true,
      relaysReached: relays,
      relaysThatOpenedLastLeg: 0,
    })
  }
}

function assertRelays(
  relays: readonly JsonRelay[],
  messages: readonly JsonMessage[],
  count: number,
): void {
  assert.equal(relays.length, count)
  assert.equal(new Set(relays.map(({ nodeId }) => nodeId)).size, count)
  const packets = messages.reduce((sum, message) => sum + message.packets, 0)
  for (const relay of relays) {
    assertKeys(relay, ['nodeId', 'packets', 'opened', 'earned', 'claimed', 'tx'])
    assert.match(relay.nodeId, WORD)
    assert.match(relay.earned, AMOUNT)
    assert.equal(relay.claimed, relay.earned)
    if (relay.earned === '0') assert.equal(relay.tx, null)
    else assert.match(relay.tx ?? '', WORD)
    assert.ok(relay.packets >= packets, 'every relay holds every packet of so small a network')
  }
  const opened = relays.reduce((sum, relay) => sum + relay.opened, 0)
  assert.ok(opened >= 3 * packets, `${opened} layers opened for ${packets} packets of three hops`)
}

function assertConservation(conservation: JsonConservation, relays: readonly JsonRelay[]): void {
  assertKeys(conservation, ['deposited', 'relaysNet', 'nets', 'unsigned', 'ok', 'gasSpent'])
  assert.equal(conservation.ok, true)
  const { deposited, relaysNet, unsigned, gasSpent } = conservation
  for (const amount of [deposited, relaysNet, unsigned, gasSpent]) assert.match(amount, AMOUNT)
  assert.equal(BigInt(deposited), BigInt(relaysNet) + BigInt(unsigned))
  assert.ok(BigInt(relaysNet) > 0n && BigInt(unsigned) > 0n && BigInt(gasSpent) > 0n)
  assert.equal(conservation.nets.length, relays.length)
  const nets = conservation.nets.reduce((sum, net) => sum + BigInt(net), 0n)
  assert.equal(nets, BigInt(relaysNet), 'what relays paid each other cancels out')
}

function assertKeys(value: object, keys: readonly string[]): void {
  assert.deepEqual(Object.keys(value).sort(), [...keys].sort())
}
