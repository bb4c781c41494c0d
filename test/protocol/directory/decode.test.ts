import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { decodeLog, type Hex, type RawLog } from '@mainframe/protocol'
import fc from 'fast-check'
import { bytesUpTo } from '../support/arbitraries.ts'
import { deployment, hex, place, rawLog, record } from '../support/logs.ts'

const nodeId = hex(0x01, 32)
const channelId = hex(0x02, 32)
const head = hex(0x03, 24)
const continuityWord = `${head}${'7'.padStart(16, '0')}`
const account = (byte: number) => hex(byte, 20)
const recordValues = Object.values(record)
const row = {
  service: hex(0x51, 32),
  token: account(0x52),
  price: 0n,
  next: (1n << 96n) - 1n,
  nextFrom: 1_800_000_000,
  unit: 1,
  active: true,
}

const schedule = (row.next << 96n) | (1_800_000_000n << 192n) | (1n << 232n) | (1n << 240n)

describe('decodeLog: what is no event of the directory', () => {
  const log = rawLog('registry', 'StakeAdded', [nodeId, 5n, continuityWord])

  it('a log of another contract, even with the same topics', () => {
    assert.equal(decodeLog({ ...log, address: account(0x99) }, deployment), undefined)
    assert.equal(decodeLog({ ...log, address: deployment.board }, deployment), undefined)
    assert.equal(decodeLog({ ...log, address: deployment.token }, deployment), undefined)
  })

  it('events that change no row', () => {
    const logs = [
      rawLog('channels', 'Deposited', [account(1), account(2), 3n]),
      rawLog('channels', 'Withdrawn', [account(1), account(2), account(3), 4n]),
      rawLog('channels', 'Skipped', [channelId, account(2), 1]),
    ]
    for (const other of logs) assert.equal(decodeLog(other, deployment), undefined)
  })

  it('topics or data that are cut, missing or made up', () => {
    const broken: RawLog[] = [
      { ...log, topics: [] },
      { ...log, topics: log.topics.slice(0, 1) },
      { ...log, topics: [hex(0xee, 32), ...log.topics.slice(1)] },
      { ...log, data: '0x' },
      { ...log, data: log.data.slice(0, -64) as Hex },
      { ...log, data: 'nonsense' as Hex },
    ]
    for (const bad of broken) assert.equal(decodeLog(bad, deployment), undefined)
  })

  it('an address of more than 20 bytes', () => {
    const opened = rawLog('channels', 'Opened', [
      ...[hex(1, 32), account(1), account(2), account(3), account(4), 86_400, 1, 5n],
    ])
    assert.equal(decodeLog(opened, deployment)?.type, 'Opened')
    const data: Hex = `0x01${opened.data.slice(4)}`
    assert.equal(decodeLog({ ...opened, data }, deployment), undefined)
  })

  it('any data gives an event or undefined, never an exception', () => {
    const registered = rawLog('registry', 'Registered', [
      ...[nodeId, account(1), hex(9, 32), recordValues, hex(8, 64), 5n, continuityWord],
    ])
    fc.assert(
      fc.property(fc.constantFrom(log, registered), bytesUpTo(700), (base, data) => {
        decodeLog({ ...base, data: `0x${Buffer.from(data).toString('hex')}` }, deployment)
      }),
      { numRuns: 300 },
    )
  })
})

describe('decodeLog', () => {
  const continuity = { seq: 7n, head }
  const cases: [string, RawLog, object][] = [
    [
      'Registered',
      rawLog('registry', 'Registered', [
        ...[nodeId, account(0x0e), hex(0x0f, 32), recordValues, hex(0x10, 64), 11n, continuityWord],
      ]),
      {
        nodeId,
        operator: account(0x0e),
        nodeKey: hex(0x0f, 32),
        record,
        signature: hex(0x10, 64),
        stake: 11n,
        ...continuity,
      },
    ],
    [
      'Updated',
      rawLog('registry', 'Updated', [nodeId, recordValues, continuityWord]),
      { nodeId, record, ...continuity },
    ],
    [
      'StakeAdded',
      rawLog('registry', 'StakeAdded', [nodeId, 12n, continuityWord]),
      { nodeId, stake: 12n, ...continuity },
    ],
    [
      'UnstakeBegun',
      rawLog('registry', 'UnstakeBegun', [nodeId, 1_800_000_000, continuityWord]),
      { nodeId, unlockAt: 1_800_000_000, ...continuity },
    ],
    [
      'StakeWithdrawn',
      rawLog('registry', 'StakeWithdrawn', [nodeId, account(0x0a), 13n, continuityWord]),
      { nodeId, to: account(0x0a), amount: 13n, ...continuity },
    ],
    [
      'PriceSet',
      rawLog('board', 'PriceSet', [nodeId, row.service, row.token, schedule, continuityWord]),
      { nodeId, row, ...continuity },
    ],
    [
      'Opened',
      rawLog('channels', 'Opened', [
        ...[channelId, account(1), account(2), account(3), account(4), 3600, 2, 99n],
      ]),
      {
        channelId,
        payer: account(1),
        payee: account(2),
        token: account(3),
        signer: account(4),
        noticeSeconds: 3600,
        epoch: 2,
        deposit: 99n,
      },
    ],
    ['ToppedUp', rawLog('channels', 'ToppedUp', [channelId, 100n]), { channelId, deposit: 100n }],
    [
      'Claimed',
      rawLog('channels', 'Claimed', [channelId, account(2), 50n]),
      { channelId, claimed: 50n },
    ],
    [
      'CloseRequested',
      rawLog('channels', 'CloseRequested', [channelId, account(2), 1_800_000_000]),
      { channelId, closesAt: 1_800_000_000 },
    ],
    ['CloseCancelled', rawLog('channels', 'CloseCancelled', [channelId]), { channelId }],
    [
      'Closed',
      rawLog('channels', 'Closed', [channelId, account(2), 60n, 40n]),
      { channelId, claimed: 60n, refunded: 40n },
    ],
  ]
  for (const [type, log, expected] of cases) {
    it(`reads ${type} with its place, in lower case`, () => {
      assert.deepEqual(decodeLog(log, deployment), { type, ...place, ...expected })
    })
  }
})
