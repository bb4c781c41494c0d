/** A member that seals whatever it likes: every outcome has a name, and what it fills stays bounded. */
import assert from 'node:assert/strict'
import { before, describe, it } from 'node:test'
import { readEpochs } from '../../../sdk/src/conversations/epoch.ts'
import { MAX_MISSING, MAX_PARKED } from '../../../sdk/src/conversations/limits.ts'
import { encodePayload, type Payload } from '../../../sdk/src/conversations/payloads.ts'
import { shelfOf } from '../../../sdk/src/conversations/shelf.ts'
import { decodeWire, encodeWire } from '../../../sdk/src/conversations/wire.ts'
import { encrypt } from '../../../sdk/src/mls/group.ts'
import type { MlsState } from '../../../sdk/src/mls/state.ts'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import { ConversationNetwork, type Peer } from '../support/conversation-network.ts'
import { trustingMls } from '../support/mls-members.ts'
import { seededRandom } from '../support/seeded-random.ts'

const CASES = Number(
  process.env['FUZZ_CASES'] ?? (process.env['LONG_TESTS'] === '1' ? 10_000 : 1000),
)
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)

const NAMES =
  /^(malformed|wrong-group|own|invalid|proposal|duplicate|overtaken|parked|too-far|too-old|commit.*|removed|payload-malformed|message.*|sync.*|asked|ask-flood|give|give-empty|from-former-member|request.*|whisper|gave)$/

describe('hostile payloads', () => {
  let mls: Mls
  before(async () => {
    mls = await trustingMls()
  })

  it(`have a named outcome each, and fill nothing (${CASES} cases)`, async () => {
    const random = seededRandom(SEED)
    const network = new ConversationNetwork(mls, random)
    const [victim, hostile] = await network.conversation(2)
    assert.ok(victim && hostile)
    await victim.active.send(new Uint8Array(100))
    await network.pass(5000)
    let state = await newest(mls, hostile)
    const outside = network.wire.map(({ bytes }) => decodeWire(bytes) ?? new Uint8Array())
    for (let i = 0; i < CASES; i++) {
      let bytes: Uint8Array
      if (random() < 0.7) {
        const sealed = await encrypt(mls, state, payloadOf(random))
        state = sealed.state
        bytes = encodeWire(random() < 0.2 ? damaged(sealed.bytes, random) : sealed.bytes)
      } else bytes = encodeWire(damaged(outside[i % outside.length] ?? bytes0, random))
      const outcome = await victim.active.receive(bytes)
      assert.match(outcome, NAMES, `FUZZ_SEED=${SEED}, case ${i}`)
    }
    assert.ok(victim.active.recovering <= MAX_MISSING)
    const parked = await victim.store.list(`c.`)
    assert.ok(parked.filter((key) => key.includes('.q.')).length <= MAX_PARKED)
    await victim.active.send(new Uint8Array(3))
    assert.equal((await victim.active.history()).at(-1)?.body.length, 3)
    await victim.active.close()
    await hostile.active.close()
  })
})

const bytes0 = new Uint8Array(100)

async function newest(protocol: Mls, { store, active }: Peer): Promise<MlsState> {
  const epochs = await readEpochs(protocol, shelfOf(store, active.id))
  const [last] = epochs.sort((a, b) => b.epoch - a.epoch)
  assert.ok(last)
  return last.state
}

function damaged(bytes: Uint8Array, random: () => number): Uint8Array {
  const copy = bytes.slice(0, random() < 0.2 ? Math.floor(random() * bytes.length) : bytes.length)
  for (let i = 0; i < 2; i++) copy[Math.floor(random() * copy.length)] = random() * 256
  return copy
}

/** A payload that is right, nearly right, or nothing at all. */
function payloadOf(random: () => number): Uint8Array {
  const noise = (length: number) => Uint8Array.from({ length }, () => random() * 256)
  const ref = () => ({
    id: Buffer.from(noise(16)).toString('hex'),
    lamport: Math.floor(random() * 2 ** 48),
  })
  const refs = (most: number) => Array.from({ length: Math.floor(random() * most) }, ref)
  const payloads: Payload[] = [
    { kind: 'message', bytes: noise(Math.floor(random() * 400)) },
    {
      kind: 'sync',
      wantsAnswer: random() < 0.5,
      statement: { heads: refs(16), lacking: refs(32), isCut: random() < 0.5 },
    },
    { kind: 'ask', refs: refs(32) },
    { kind: 'give', messages: [noise(200), noise(20)] },
    { kind: 'request', id: ref().id, wish: { op: 'remove', inboxKey: noise(32) } },
    {
      kind: 'request',
      id: ref().id,
      wish: { op: 'add', role: 'admin', keyPackage: noise(300) },
    },
    { kind: 'whisper', type: 1, body: noise(10) },
  ]
  const payload = payloads[Math.floor(random() * payloads.length)]
  const bytes = payload ? encodePayload(payload) : noise(9)
  return random() < 0.3 ? damaged(bytes, random) : bytes
}
