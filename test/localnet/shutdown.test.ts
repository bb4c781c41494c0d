import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Shutdown } from '../../localnet/src/shutdown.ts'

describe('the shutdown of a local network', () => {
  it('stops in reverse order, once, and goes on when a step fails', async () => {
    const shutdown = new Shutdown()
    const stopped: string[] = []
    shutdown.add(async () => void stopped.push('first'))
    shutdown.add(() => Promise.reject(new TypeError('cannot stop')))
    shutdown.add(async () => void stopped.push('last'))
    await Promise.all([shutdown.stop(), shutdown.stop()])
    assert.deepEqual(stopped, ['last', 'first'])
  })

  it('stops at once what was still starting when the stop began', async () => {
    const shutdown = new Shutdown()
    const running = Promise.withResolvers<void>()
    const stopped: string[] = []
    shutdown.add(() => running.promise)
    const stopping = shutdown.stop()
    shutdown.add(async () => void stopped.push('late'))
    assert.deepEqual(stopped, ['late'])
    running.resolve()
    await stopping
    shutdown.add(async () => void stopped.push('later'))
    shutdown.add(() => Promise.reject(new TypeError('cannot stop')))
    await shutdown.stop()
    assert.deepEqual(stopped, ['late', 'later'])
  })
})
