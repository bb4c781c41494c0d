import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { MainframeError } from '@mainframe/protocol'
import {
  parseCount,
  parseHeader,
  parseLogs,
  parseQuantity,
  parseReceipt,
} from '../../../node/src/chain/answers.ts'

const HASH = `0x${'ab'.repeat(32)}`
const HEADER = { hash: HASH, parentHash: HASH, timestamp: '0x10' }
const LOG = {
  address: `0x${'11'.repeat(20)}`,
  topics: [HASH],
  data: '0x',
  blockNumber: '0x1',
  blockHash: HASH,
  logIndex: '0x0',
}
const RECEIPT = {
  transactionHash: HASH,
  blockNumber: '0x2',
  gasUsed: '0x5208',
  status: '0x1',
  logs: [LOG],
}
/** What no answer may be. */
const NONSENSE = [undefined, true, 7, '', '0x', '0xzz', [], [null], {}, { hash: HASH }]

const isSenseless = ({ code, retryable }: MainframeError) => code === 'CHAIN_MISMATCH' && retryable

describe('An answer of a chain node', () => {
  it('is refused when it has not the form that was asked for, and may be asked for again', () => {
    for (const answer of NONSENSE) {
      assert.throws(() => parseHeader(answer), isSenseless)
      assert.throws(() => parseReceipt(answer), isSenseless)
      assert.throws(() => parseQuantity(answer, 'a number'), isSenseless)
      if (!Array.isArray(answer) || answer.length > 0) {
        assert.throws(() => parseLogs(answer), isSenseless)
      }
    }
    assert.throws(() => parseCount(`0x${'f'.repeat(14)}`, 'a number'), isSenseless)
    assert.throws(() => parseQuantity(`0x${'f'.repeat(65)}`, 'a number'), isSenseless)
  })

  it('is refused for one field that has not its form', () => {
    const wrong = (whole: object) =>
      Object.keys(whole).flatMap((name) =>
        ['0x1g', {}, 1].map((bad) => ({ ...whole, [name]: bad })),
      )
    for (const header of wrong(HEADER)) assert.throws(() => parseHeader(header), isSenseless)
    for (const log of wrong(LOG)) assert.throws(() => parseLogs([LOG, log]), isSenseless)
    for (const receipt of wrong(RECEIPT)) assert.throws(() => parseReceipt(receipt), isSenseless)
  })

  it('is read, and is none for what does not exist yet', () => {
    assert.equal(parseHeader(null), undefined)
    assert.equal(parseReceipt(null), undefined)
    assert.equal(parseReceipt({ ...RECEIPT, blockNumber: null }), undefined)
    assert.equal(parseHeader(HEADER)?.timestampSeconds, 16)
    assert.deepEqual(parseLogs([LOG]), [LOG])
    assert.equal(parseReceipt(RECEIPT)?.hasSucceeded, true)
    assert.equal(parseReceipt({ ...RECEIPT, status: '0x0' })?.hasSucceeded, false)
    assert.equal(parseQuantity(`0x${'f'.repeat(64)}`, 'a number'), 2n ** 256n - 1n)
  })
})
