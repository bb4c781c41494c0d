import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get } from 'node:http'
import { connect } from 'node:net'
import { after, before, describe, it } from 'node:test'
import type { ApiEvent } from '@mainframe/protocol'
import { DATABASES } from './databases.ts'
import { nodeIdOfName } from './fake-chain.ts'
import { until } from './harness.ts'
import { mineRelays, type Rig, startRig } from './rig.ts'

interface Told {
  id: number
  event: string
  data: ApiEvent
}

/** Someone who listens; events come in as they are told. */
class Listening {
  readonly told: Told[] = []
  readonly #abort = new AbortController()
  #done: Promise<void> = Promise.resolve()
  ended = false

  static async start(url: string, lastId?: number): Promise<Listening> {
    const listening = new Listening()
    const headers: Record<string, string> =
      lastId === undefined ? {} : { 'last-event-id': String(lastId) }
    const signal = listening.#abort.signal
    const response = await fetch(`${url}/v1/events`, { headers, signal })
    assert.equal(response.headers.get('content-type'), 'text/event-stream')
    listening.#done = listening.#read(response)
    await until(() => listening.told.length > 0, 'the stream begins')
    return listening
  }

  async #read(response: Response): Promise<void> {
    let rest = ''
    try {
      for await (const chunk of response.body ?? []) {
        const blocks = (rest + Buffer.from(chunk).toString()).split('\n\n')
        rest = blocks.pop() ?? ''
        this.told.push(...blocks.filter((block) => !block.startsWith(':')).map(parse))
      }
      this.ended = true
    } catch {
      // we hung up
    }
  }

  get names(): string[] {
    return this.told.map(({ event, data }) => {
      const type = event === 'hello' || event === 'reset' ? undefined : data.body
      return type && 'type' in type ? `${event} ${type.type}` : event
    })
  }

  async stop(): Promise<void> {
    this.#abort.abort()
    await this.#done
  }
}

function parse(block: string): Told {
  const fields = Object.fromEntries(
    block.split('\n').map((line) => {
      const colon = line.indexOf(': ')
      return [line.slice(0, colon), line.slice(colon + 2)] as const
    }),
  )
  return {
    id: Number(fields['id']),
    event: fields['event'] ?? '',
    data: JSON.parse(fields['data'] ?? '{}') as ApiEvent,
  }
}

/** One of many, who counts only: `heardAll` resolves after three blocks with an event each. */
function joinIn(url: string): Promise<{ heardAll: Promise<void>; leave: () => void }> {
  const heardAll = Promise.withResolvers<void>()
  return new Promise((resolve, reject) => {
    const request = get(`${url}/v1/events`, (response) => {
      let ends = 0
      response
        .on('error', () => {})
        .on('data', (chunk: Buffer) => {
          ends += chunk.toString('latin1').split('\n\n').length - 1
          if (ends >= 7) heardAll.resolve()
        })
      resolve({ heardAll: heardAll.promise, leave: () => request.destroy() })
    }).on('error', reject)
  })
}

for (const { name, skip, settings } of DATABASES) {
  describe(`live events on ${name}`, { skip }, () => {
    let rig: Rig
    before(async () => {
      rig = await startRig(await settings(), (chain) => mineRelays(chain, 4))
    })
    after(() => rig?.stop())

    it('refuse a place that is no number', async () => {
      const headers = { 'last-event-id': 'yesterday' }
      assert.equal((await fetch(`${rig.indexer.url}/v1/events`, { headers })).status, 400)
      assert.equal((await fetch(`${rig.indexer.url}/v1/events?after=-1`)).status, 400)
    })

    it('tell what a block brings, and take back what the chain drops', async () => {
      const listening = await Listening.start(rig.indexer.url)
      rig.chain.mine([{ type: 'register', node: 'doomed' }])
      await until(() => listening.told.length === 3, 'the block is told')
      rig.chain.cut(1)
      rig.chain.mine([{ type: 'register', node: 'instead' }])
      await until(() => listening.told.length === 7, 'the other block is told')
      await listening.stop()
      assert.deepEqual(listening.names, [
        'hello',
        'event Registered',
        'blocks',
        'retraction',
        'retraction Registered',
        'event Registered',
        'blocks',
      ])
      const [, doomed, , , retraction, instead] = listening.told
      assert.equal(retraction?.data.retracts, doomed?.id)
      assert.deepEqual(retraction?.data.body, doomed?.data.body)
      assert.partialDeepStrictEqual(instead?.data.body, { nodeId: nodeIdOfName('instead') })
    })

    it('resume where a listener was, without a gap and without a repetition', async () => {
      const first = await Listening.start(rig.indexer.url)
      rig.chain.mine([{ type: 'addStake', node: 'instead', stake: 500n }])
      await until(() => first.told.length === 3, 'the block is told')
      await first.stop()
      const seen = first.told.at(-2)?.id ?? 0
      for (let i = 0; i < 5; i++)
        rig.chain.mine([{ type: 'addStake', node: 'instead', stake: 600n }])
      await rig.caughtUp()
      const second = await Listening.start(rig.indexer.url, seen)
      rig.chain.mine()
      await until(() => second.told.length === 13, 'everything is told')
      await second.stop()
      assert.deepEqual(second.names.slice(0, 3), ['hello', 'blocks', 'event StakeAdded'])
      const ids = second.told.slice(1).map(({ id }) => id)
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      )
      assert.equal(new Set(ids).size, ids.length)
      assert.equal(ids[0], first.told.at(-1)?.id)
    })

    it('say that the state must be asked for anew when that place is not known', async () => {
      const listening = await Listening.start(rig.indexer.url, 1_000_000)
      assert.deepEqual(listening.names, ['reset'])
      await listening.stop()
    })

    it('reach a thousand listeners, whatever some of them do not read', async () => {
      const silent = Array.from({ length: 20 }, () =>
        get(`${rig.indexer.url}/v1/events`, (response) => response.pause()).on('error', () => {}),
      )
      const crowd = await Promise.all(Array.from({ length: 1_000 }, () => joinIn(rig.indexer.url)))
      const before = process.memoryUsage().rss
      for (let i = 0; i < 3; i++) {
        rig.chain.mine([{ type: 'addStake', node: 'instead', stake: BigInt(700 + i) }])
      }
      await Promise.all(crowd.map(({ heardAll }) => heardAll))
      const grownMib = (process.memoryUsage().rss - before) / 2 ** 20
      assert.ok(grownMib < 256, `memory grew by ${grownMib} MiB`)
      for (const { leave } of crowd) leave()
      for (const request of silent) request.destroy()
      await rig.caughtUp()
    })

    it('are told to nobody who hung up before the first word', async () => {
      const { hostname, port } = new URL(rig.indexer.url)
      for (let i = 0; i < 50; i++) {
        const socket = connect(Number(port), hostname).on('error', () => {})
        socket.write('GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n', () => socket.destroy())
        await once(socket, 'close')
      }
      await (await Listening.start(rig.indexer.url)).stop()
      await until(async () => {
        const metrics = await (await fetch(`${rig.indexer.url}/metrics`)).text()
        return /^indexer_listeners 0$/m.test(metrics)
      }, 'nobody is listening')
    })

    it('end when the indexer stops, and do not keep it from stopping', async () => {
      const listening = await Listening.start(rig.indexer.url)
      await rig.stop()
      await until(() => listening.ended, 'the stream ends')
    })
  })
}
