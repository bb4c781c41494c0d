import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  type BoardRow,
  type ChannelEvent,
  type ChannelRow,
  currentPrice,
  type NodeRow,
  type RegistryEvent,
  reduceChannel,
  reduceNode,
  reducePrice,
} from '@mainframe/protocol'
import { hex, place, record } from '../support/logs.ts'

const nodeId = hex(1, 32)
const channelId = hex(2, 32)
const continuity = { seq: 1n, head: hex(3, 24) }

/** Distributes over the union, so that each event keeps its own fields. */
type Told<E> = E extends unknown
  ? Omit<E, keyof typeof place | 'nodeId' | 'channelId' | 'seq' | 'head'>
  : never

const registry = (event: Told<RegistryEvent>, blockNumber = 16) =>
  ({ ...place, ...continuity, nodeId, blockNumber, ...event }) as RegistryEvent
const channel = (event: Told<ChannelEvent>, blockNumber = 16) =>
  ({ ...place, channelId, blockNumber, ...event }) as ChannelEvent

const registered = registry({
  type: 'Registered',
  operator: hex(4, 20),
  nodeKey: hex(5, 32),
  record,
  signature: hex(6, 64),
  stake: 100n,
})
const opened = channel({
  type: 'Opened',
  payer: hex(7, 20),
  payee: hex(8, 20),
  token: hex(9, 20),
  signer: hex(10, 20),
  noticeSeconds: 3600,
  epoch: 1,
  deposit: 500n,
})

const nodeAfter = (...events: RegistryEvent[]) =>
  events.reduce<NodeRow | undefined>(reduceNode, undefined)
const channelAfter = (...events: ChannelEvent[]) =>
  events.reduce<ChannelRow | undefined>(reduceChannel, undefined)

describe('reduceNode', () => {
  it('gives nothing for events of a node that was never registered', () => {
    const events = [
      registry({ type: 'Updated', record }),
      registry({ type: 'StakeAdded', stake: 1n }),
      registry({ type: 'UnstakeBegun', unlockAt: 5 }),
      registry({ type: 'StakeWithdrawn', to: hex(1, 20), amount: 1n }),
    ]
    for (const event of events) assert.equal(reduceNode(undefined, event), undefined)
  })

  it('follows a node from registration to withdrawal', () => {
    const row = nodeAfter(registered)
    assert.deepEqual(row, {
      nodeId,
      operator: hex(4, 20),
      nodeKey: hex(5, 32),
      ...record,
      signature: hex(6, 64),
      stake: 100n,
      active: true,
      unlockAt: 0,
      registeredBlock: 16,
      updatedBlock: 16,
    })
    const other = { ...record, sealKey: hex(0xcc, 32) }
    const updated = nodeAfter(registered, registry({ type: 'Updated', record: other }, 17))
    assert.deepEqual(updated, { ...row, ...other, updatedBlock: 17 })
    const staked = nodeAfter(registered, registry({ type: 'StakeAdded', stake: 250n }, 18))
    assert.deepEqual(staked, { ...row, stake: 250n, updatedBlock: 18 }, 'the total, not a sum')
    const leaving = [registered, registry({ type: 'UnstakeBegun', unlockAt: 99 }, 19)]
    assert.deepEqual(nodeAfter(...leaving), {
      ...row,
      active: false,
      unlockAt: 99,
      updatedBlock: 19,
    })
    const gone = registry({ type: 'StakeWithdrawn', to: hex(1, 20), amount: 100n }, 20)
    const left = { ...row, active: false, unlockAt: 99, stake: 0n, updatedBlock: 20 }
    assert.deepEqual(nodeAfter(...leaving, gone), left)
  })

  it('does not change the row that it was given', () => {
    const row = nodeAfter(registered)
    assert.ok(row)
    const before = structuredClone(row)
    reduceNode(row, registry({ type: 'UnstakeBegun', unlockAt: 99 }))
    assert.deepEqual(row, before)
  })
})

describe('reduceChannel', () => {
  it('gives nothing for events of a channel that was never opened', () => {
    assert.equal(channelAfter(channel({ type: 'ToppedUp', deposit: 5n })), undefined)
    assert.equal(channelAfter(channel({ type: 'CloseCancelled' })), undefined)
  })

  it('follows a channel through top-up, claims, a cancelled close and the end', () => {
    const row = channelAfter(opened)
    assert.ok(row)
    const { type: _, blockHash: __, transactionHash: ___, logIndex: ____, ...rest } = opened
    const { blockNumber, ...terms } = rest as typeof rest & { blockNumber: number }
    const fresh = { claimed: 0n, closesAt: 0, state: 'open', updatedBlock: blockNumber }
    assert.deepEqual(row, { ...terms, ...fresh })
    const events = [
      channel({ type: 'ToppedUp', deposit: 900n }, 17),
      channel({ type: 'Claimed', claimed: 300n }, 18),
      channel({ type: 'CloseRequested', closesAt: 777 }, 19),
      channel({ type: 'CloseCancelled' }, 20),
      channel({ type: 'CloseRequested', closesAt: 888 }, 21),
      channel({ type: 'Claimed', claimed: 350n }, 22),
      channel({ type: 'Closed', claimed: 360n, refunded: 540n }, 23),
    ]
    const states = events.map((_event, i) => {
      const { deposit, claimed, closesAt, state } =
        channelAfter(opened, ...events.slice(0, i + 1)) ?? row
      return [deposit, claimed, closesAt, state]
    })
    assert.deepEqual(states, [
      [900n, 0n, 0, 'open'],
      [900n, 300n, 0, 'open'],
      [900n, 300n, 777, 'closing'],
      [900n, 300n, 0, 'open'],
      [900n, 300n, 888, 'closing'],
      [900n, 350n, 888, 'closing'],
      [900n, 360n, 0, 'closed'],
    ])
  })

  it('begins a new epoch with nothing claimed', () => {
    const again = { ...opened, epoch: 2, deposit: 70n, blockNumber: 30 } as ChannelEvent
    const closed = channel({ type: 'Closed', claimed: 500n, refunded: 0n })
    const row = channelAfter(opened, closed, again)
    assert.deepEqual([row?.epoch, row?.deposit, row?.claimed, row?.state], [2, 70n, 0n, 'open'])
  })
})

describe('prices', () => {
  const row: BoardRow = {
    service: hex(0x51, 32),
    token: hex(0x52, 20),
    price: 10n,
    next: 20n,
    nextFrom: 1000,
    unit: 0,
    active: true,
  }

  it('reducePrice gives the row of an event with its node and block', () => {
    const event = { ...place, ...continuity, type: 'PriceSet' as const, nodeId, row }
    assert.deepEqual(reducePrice(event), { ...row, nodeId, updatedBlock: 16 })
  })

  it("currentPrice is the board's rule: the next price from its second on, none when withdrawn or zero", () => {
    assert.equal(currentPrice(row, 999), 10n)
    assert.equal(currentPrice(row, 1000), 20n)
    assert.equal(currentPrice({ ...row, active: false }, 1000), undefined)
    assert.equal(currentPrice({ ...row, price: 0n }, 999), undefined)
    assert.equal(currentPrice({ ...row, price: 0n }, 1000), 20n)
  })
})
