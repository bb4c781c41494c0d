import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  advanceHead,
  type BoardEvent,
  bodyHash,
  continuesLog,
  decodeLog,
  encodeSchedule,
  GENESIS_HEAD,
  type Hex,
  type LogHead,
  type RegistryEvent,
  recordHash,
} from '@mainframe/protocol'
import { AbiCoder, concat, dataSlice, keccak256, toBeHex, zeroPadBytes, zeroPadValue } from 'ethers'
import { deployment, hex, rawLog, record } from '../support/logs.ts'

const nodeId = hex(1, 32)
const account = hex(2, 20)
const values = Object.values(record)
const coder = AbiCoder.defaultAbiCoder()
const word = (value: bigint | number | string) =>
  typeof value === 'string' ? zeroPadValue(value, 32) : toBeHex(value, 32)
const row = {
  ...{ service: hex(0x51, 32), token: account },
  ...{ price: 5n, next: 6n, nextFrom: 7, unit: 1, active: true },
}

/** One event of every kind, decoded from logs whose heads are still zeros. */
const events = (
  [
    ['registry', 'Registered', [nodeId, account, hex(3, 32), values, hex(4, 64), 9n]],
    ['registry', 'Updated', [nodeId, values]],
    ['registry', 'StakeAdded', [nodeId, 10n]],
    ['board', 'PriceSet', [nodeId, row.service, row.token, encodeSchedule(row)]],
    ['registry', 'UnstakeBegun', [nodeId, 11]],
    ['registry', 'StakeWithdrawn', [nodeId, account, 10n]],
  ] as const
).map(([contract, name, fields]) => {
  const log = rawLog(contract, name, [...fields, hex(0, 32)])
  return decodeLog(log, deployment) as RegistryEvent | BoardEvent
})

/** A log of these events whose numbers and heads are right. */
function chainOf(list: readonly (RegistryEvent | BoardEvent)[]): (RegistryEvent | BoardEvent)[] {
  let head: LogHead = GENESIS_HEAD
  return list.map((event) => {
    head = advanceHead(head, event)
    return { ...event, ...head }
  })
}

/** Index of the first event that does not continue the log; -1 when all do. */
function firstBreak(list: readonly (RegistryEvent | BoardEvent)[]): number {
  let head: LogHead = GENESIS_HEAD
  return list.findIndex((event) => {
    const fits = continuesLog(head, event)
    head = event
    return !fits
  })
}

describe('continuesLog', () => {
  const log = chainOf(events)

  it('finds a dropped, doubled, swapped or changed event', () => {
    assert.equal(firstBreak(log), -1)
    for (let i = 0; i < log.length; i++) {
      const [event] = log.slice(i, i + 1)
      assert.ok(event)
      if (i < log.length - 1) assert.equal(firstBreak(log.toSpliced(i, 1)), i, 'dropped')
      assert.equal(firstBreak(log.toSpliced(i, 0, event)), i + 1, 'doubled')
      const later = { ...event, blockNumber: event.blockNumber + 1 }
      assert.equal(firstBreak(log.toSpliced(i, 1, later)), i, 'moved to another block')
      const other = { ...event, nodeId: hex(9, 32) }
      assert.equal(firstBreak(log.toSpliced(i, 1, other)), i, 'of another node')
      const renumbered = { ...event, seq: event.seq + 1n }
      assert.equal(firstBreak(log.toSpliced(i, 1, renumbered)), i, 'renumbered')
    }
    const [first, second] = log
    assert.ok(first && second)
    assert.equal(firstBreak([second, first]), 0)
  })

  it('finds a change of every single field', () => {
    const changes: [number, object][] = [
      [0, { operator: hex(9, 20) }],
      [0, { nodeKey: hex(9, 32) }],
      [0, { signature: hex(9, 64) }],
      [0, { stake: 8n }],
      ...Object.keys(record).map((field): [number, object] => [
        0,
        {
          record: {
            ...record,
            [field]: field === 'metadata' ? '0x01' : hex(9, field === 'sealKey' ? 32 : 20),
          },
        },
      ]),
      [1, { record: { ...record, sealKey: hex(9, 32) } }],
      [2, { stake: 8n }],
      ...Object.entries({
        service: hex(9, 32),
        token: hex(9, 20),
        price: 1n,
        next: 1n,
        nextFrom: 1,
        unit: 0,
        active: false,
      }).map(([field, value]): [number, object] => [3, { row: { ...row, [field]: value } }]),
      [4, { unlockAt: 12 }],
      [5, { to: hex(9, 20) }],
      [5, { amount: 8n }],
    ]
    for (const [index, change] of changes) {
      const changed = { ...log[index], ...change } as RegistryEvent | BoardEvent
      assert.equal(
        firstBreak(log.toSpliced(index, 1, changed)),
        index,
        JSON.stringify(Object.keys(change)),
      )
    }
  })
})

describe('advanceHead', () => {
  it('is bytes24(keccak256(abi.encode(head, seq, kind, keccak256(data)))), from zero', () => {
    const stakeAdded = events[2]
    assert.ok(stakeAdded)
    const data = concat([word(16), nodeId, word(10n)])
    const encoded = concat([zeroPadBytes(hex(0, 24), 32), word(1), word(3), keccak256(data)])
    const expected = dataSlice(keccak256(encoded), 0, 24)
    assert.deepEqual(advanceHead(GENESIS_HEAD, stakeAdded), { seq: 1n, head: expected })
  })
})

describe('recordHash and bodyHash', () => {
  it('commit to every field as the registry does', () => {
    const content = keccak256(concat([keccak256(record.multiaddrs), keccak256(record.metadata)]))
    const body = keccak256(
      coder.encode(['address', 'bytes32', 'bytes32'], [record.payee, record.sealKey, content]),
    )
    assert.equal(bodyHash(record), body as Hex)
    assert.equal(recordHash(record), keccak256(concat([word(record.manager), body])))
  })
})
