import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeLog as decodeWithEthers, type Hex, type RawLog } from '@mainframe/protocol'
import fc from 'fast-check'
import { decodeLog } from '../../indexer/src/chain/decode.ts'
import { type Action, DEPLOYMENT, FakeChain } from './fake-chain.ts'

const EVERY_ACTION: Action[] = [
  { type: 'register', node: 'a', stake: 2n ** 96n - 1n, multiaddrs: '/x\0\u0007' },
  { type: 'update', node: 'a', sealKey: 'new' },
  { type: 'addStake', node: 'a', stake: 0n },
  { type: 'unstake', node: 'a' },
  {
    type: 'prices',
    node: 'a',
    rows: [{ service: 's', price: 5n, next: 7n, nextFrom: 2 ** 40 - 1 }],
  },
  { type: 'open', channel: 'c', payer: 'p', payee: 'q', deposit: 10n, epoch: 3 },
  { type: 'topUp', channel: 'c', deposit: 20n },
  { type: 'claim', channel: 'c', claimed: 4n },
  { type: 'requestClose', channel: 'c' },
  { type: 'close', channel: 'c', claimed: 9n },
  { type: 'deposit', owner: 'p' },
]

describe('decoding of many logs', () => {
  const logs = new FakeChain().mine(EVERY_ACTION).logs

  it('gives nothing, and never throws, for what does not decode', () => {
    const bytes = fc.uint8Array({ maxLength: 700 })
    fc.assert(
      fc.property(fc.constantFrom(...logs), bytes, fc.nat(3), (log, data, topics) => {
        const broken: RawLog = {
          ...log,
          topics: log.topics.slice(0, topics),
          data: `0x${Buffer.from(data).toString('hex')}`,
        }
        decodeLog(broken, DEPLOYMENT)
      }),
    )
    for (const log of logs) {
      const cut = { ...log, data: log.data.slice(0, -64) as Hex, topics: log.topics.slice(0, 1) }
      assert.equal(decodeLog(cut, DEPLOYMENT), undefined)
      assert.equal(decodeLog({ ...log, topics: [] }, DEPLOYMENT), undefined)
      assert.equal(decodeLog({ ...log, address: DEPLOYMENT.token }, DEPLOYMENT), undefined)
    }
  })

  it('gives the event that ethers gives', () => {
    assert.equal(logs.length, EVERY_ACTION.length)
    for (const log of logs) {
      assert.deepEqual(decodeLog(log, DEPLOYMENT), decodeWithEthers(log, DEPLOYMENT))
    }
  })

  it('gives the event that ethers gives, whatever the words of its data', () => {
    const flat = logs.filter(({ data }) => data.length <= 2 + 5 * 64)
    assert.equal(flat.length, EVERY_ACTION.length - 2)
    const word = fc.uint8Array({ minLength: 32, maxLength: 32 })
    const small = word.map((bytes) => bytes.fill(0, 0, 12))
    const words = fc.array(fc.oneof(word, small, small, small), { minLength: 5, maxLength: 6 })
    fc.assert(
      fc.property(fc.constantFrom(...flat), words, (log, drawn) => {
        const made: RawLog = { ...log, data: `0x${Buffer.concat(drawn).toString('hex')}` }
        assert.deepEqual(decodeLog(made, DEPLOYMENT), decodeWithEthers(made, DEPLOYMENT))
      }),
      { numRuns: 300 },
    )
  })

  it('gives the record that ethers gives, of any length, and wherever it says that it is', () => {
    const place = fc.record({ word: fc.nat(20), value: fc.nat(700) })
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), fc.option(place), (multiaddrs, moved) => {
        const mined = new FakeChain().mine([{ type: 'register', node: 'a', multiaddrs }])
        const [log] = mined.logs as [RawLog]
        const words = log.data.slice(2).match(/.{64}/g) ?? []
        if (moved) words[moved.word] = moved.value.toString(16).padStart(64, '0')
        const made: RawLog = { ...log, data: `0x${words.join('')}` }
        assert.deepEqual(decodeLog(made, DEPLOYMENT), decodeWithEthers(made, DEPLOYMENT))
      }),
      { numRuns: 300 },
    )
  })
})
