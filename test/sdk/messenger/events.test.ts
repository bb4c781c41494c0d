import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorCode } from '@mainframe/protocol'
import { EventHub } from '../../../sdk/src/messenger/events.ts'

const trouble = (error: unknown) => ({ type: 'trouble', error }) as const

describe('events of a messenger', () => {
  it('wait for a loop that begins later than it asked for them', async () => {
    const hub = new EventHub()
    const events = hub.events(new AbortController().signal)
    hub.emit(trouble(1))
    const first = await events.next()
    assert.deepEqual(first.value, trouble(1))
  })

  it('reach a loop that waits, and end with the signal', async () => {
    const hub = new EventHub()
    const ended = new AbortController()
    const heard: unknown[] = []
    const loop = (async () => {
      for await (const event of hub.events(ended.signal)) heard.push(event)
    })()
    for (const number of [1, 2]) hub.emit(trouble(number))
    await new Promise(setImmediate)
    ended.abort()
    await loop
    hub.emit(trouble(3))
    assert.deepEqual(heard, [trouble(1), trouble(2)])
  })

  it('of a start that went wrong in part wait for the first who listens', async () => {
    const hub = new EventHub()
    hub.emit(trouble(1))
    const { signal } = new AbortController()
    const events = hub.events(signal)
    assert.deepEqual((await events.next()).value, trouble(1))
    const others: unknown[] = []
    hub.on((event) => others.push(event))
    hub.emit(trouble(2))
    assert.deepEqual((await events.next()).value, trouble(2))
    assert.deepEqual(others, [trouble(2)])
  })

  it('are refused to a loop that lets ten thousand of them wait, and to no other', async () => {
    const hub = new EventHub()
    const { signal } = new AbortController()
    const [slow, other] = [hub.events(signal), [] as unknown[]]
    hub.on((event) => other.push(event))
    for (let i = 0; i <= 10_000; i++) hub.emit(trouble(i))
    await assert.rejects(slow.next(), (error) => errorCode(error) === 'VALIDATION_FAILED')
    assert.equal(other.length, 10_001)
  })
})
