import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  buildOnion,
  createKeyPair,
  decodeHeader,
  decodeInstruction,
  decodePacket,
  type Hop,
  type KeyPair,
  type Message,
  openPacket,
  PACKET_BYTES,
  packetId,
  padPacket,
} from '@mainframe/protocol'

const NOW = 29_000_003
const bob = createKeyPair()
const message: Message = {
  kind: 'message',
  messageId: new Uint8Array(16).fill(1),
  index: 0,
  count: 1,
  payload: new Uint8Array(1566).fill(2),
}
const header = {
  luminosity: 7,
  address: new Uint8Array(32).fill(0xcc),
  expiryMinutes: NOW + 57,
}

interface Relay extends Hop {
  keys: KeyPair
}

const relays: Relay[] = [1, 2, 3].map((n) => {
  const keys = createKeyPair()
  const address = new Uint8Array(32).fill(0x11 * n)
  return { address, keys, sealKey: keys.publicKey, delayMs: 1000 * n, postageUnits: 100 * n }
})

const build = (hops: readonly Hop[]) =>
  buildOnion({
    header,
    publicKey: bob.publicKey,
    instruction: message,
    hops,
    nowMinutes: NOW,
  })

const everybody = [bob, ...relays.map(({ keys }) => keys)]

/** Opens with one key and asserts that no other key opens. */
function openOnlyWith(packet: Uint8Array, keys: KeyPair): Uint8Array {
  for (const other of everybody) {
    if (other !== keys) assert.equal(openPacket(packet, other), 'unopened')
  }
  const content = openPacket(packet, keys)
  assert.ok(typeof content !== 'string', `not opened: ${content}`)
  return content
}

describe('buildOnion', () => {
  it('refuses a fourth hop, and a hop whose key or terms are unusable', () => {
    const [hop] = relays
    assert.ok(hop)
    assert.throws(() => build([hop, hop, hop, hop]), { code: 'VALIDATION_FAILED' })
    const badKey = { ...hop, sealKey: new Uint8Array(32) }
    assert.throws(() => build([badKey]), { code: 'CRYPTO_INVALID_KEY' })
    assert.throws(() => build([{ ...hop, postageUnits: 0 }]), { code: 'VALIDATION_FAILED' })
    assert.throws(() => build([{ ...hop, delayMs: 300_001 }]), { code: 'VALIDATION_FAILED' })
  })

  for (const hops of [0, 1, 2, 3]) {
    it(`peels ${hops} hops layer by layer, each with its own key only`, () => {
      let packet = build(relays.slice(0, hops))
      for (const [i, { keys, address, delayMs, postageUnits }] of relays.slice(0, hops).entries()) {
        assert.equal(packet.length, PACKET_BYTES)
        assert.deepEqual(decodePacket(packet, NOW), {
          luminosity: 256,
          address,
          expiryMinutes: 29_000_030, // 25 minutes from now, rounded up to five
        })
        const content = openOnlyWith(packet, keys)
        assert.equal(content.length, [1707, 1825, 1943][hops - i - 1])
        const instruction = decodeInstruction(content)
        assert.ok(instruction?.kind === 'forward')
        assert.deepEqual([instruction.delayMs, instruction.postageUnits], [delayMs, postageUnits])
        packet = padPacket(instruction.inner)
      }
      const last = decodeHeader(packet)
      assert.ok(typeof last !== 'string')
      assert.deepEqual([last.luminosity, last.expiryMinutes], [7, header.expiryMinutes])
      const content = openOnlyWith(packet, bob)
      assert.equal(content.length, 1589)
      assert.deepEqual(decodeInstruction(content), message)
    })
  }

  it('gives every onion of the same message another look, and another id at every leg', () => {
    const [hop] = relays
    assert.ok(hop)
    const ids = [build([hop]), build([hop])].flatMap((packet) => {
      const instruction = decodeInstruction(openOnlyWith(packet, hop.keys))
      assert.ok(instruction?.kind === 'forward')
      const legs = [packet, padPacket(instruction.inner), padPacket(instruction.inner)]
      return legs.map((leg) => packetId(leg).toString())
    })
    assert.equal(new Set(ids).size, 6)
  })
})
