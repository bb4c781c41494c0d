import assert from 'node:assert/strict'
import { beforeEach, describe, it } from 'node:test'
import { toHex } from '@mainframe/protocol'
import { systemClock } from '../../../sdk/src/clock.ts'
import { Conversation } from '../../../sdk/src/conversations/conversation.ts'
import { CONVERSATION_TIMES } from '../../../sdk/src/conversations/limits.ts'
import type { GroupListening } from '../../../sdk/src/messenger/carrier.ts'
import { OpenConversation } from '../../../sdk/src/messenger/open-conversation.ts'
import type { Mls } from '../../../sdk/src/mls/suites.ts'
import { systemRandom } from '../../../sdk/src/random.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import { newcomer, trustingMls } from '../support/mls-members.ts'
import { PostOffice } from '../support/post-office.ts'

describe('A group whose relays take their time', { timeout: 30_000 }, () => {
  let mls: Mls
  let group: OpenConversation
  let engine: Conversation
  /** Ends when the engine has done what it tells of. */
  let told: (type: string) => Promise<void>
  let listen: PromiseWithResolvers<void>
  let listening: GroupListening | undefined
  let keys: string[]
  let left: string[]

  beforeEach(async () => {
    mls = await trustingMls('x25519')
    const { identity, own } = await newcomer(mls)
    const wakes = new Map<string, PromiseWithResolvers<void>>()
    const wakeOf = (type: string) => {
      const wake = wakes.get(type) ?? Promise.withResolvers<void>()
      wakes.set(type, wake)
      return wake
    }
    told = (type) => wakeOf(type).promise
    listen = Promise.withResolvers()
    left = []
    keys = []
    const carrier = {
      ...new PostOffice().carrier({ publicKey: identity.inboxKey, secretKey: new Uint8Array(32) }),
      listen: (wanted: GroupListening) => {
        listening = wanted
        return listen.promise
      },
      rekey: (_id: string, pairs: GroupListening['keys']) => {
        keys = pairs.map(({ publicKey }) => toHex(publicKey))
      },
      leave: async (id: string) => void left.push(id),
    }
    const rest = { store: memoryStore(), clock: systemClock, random: systemRandom }
    const times = CONVERSATION_TIMES.local
    group = new OpenConversation(
      { mls, identity, carrier, times, ...rest },
      { kind: 'group' },
      {
        onEvent: (_group, { type }) => wakeOf(type).resolve(),
        onWelcome: () => wakeOf('welcome').resolve(),
        onTrouble: () => {},
      },
    )
    engine = await Conversation.create(group.ports, own)
  })

  it('is listened to with the keys that it has by then', async () => {
    const attached = group.attach(engine)
    const { own } = await newcomer(mls)
    await engine.invite(own.keyPackage)
    await told('welcome')
    listen.resolve()
    await attached
    assert.equal(listening?.keys.length, 1)
    assert.deepEqual(
      keys,
      engine.inboxKeys().map(({ publicKey }) => toHex(publicKey)),
    )
    await group.close()
  })

  it('is not listened to when it has ended by then', async () => {
    const attached = group.attach(engine)
    await engine.leave()
    await told('ended')
    listen.resolve()
    await attached
    assert.deepEqual(left, [group.id])
    await group.close()
  })
})
