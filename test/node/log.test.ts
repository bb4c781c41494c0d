import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MainframeError } from '@mainframe/protocol'
import { createLogger } from '../../node/src/log.ts'

const ACCOUNT = `0x${'a1'.repeat(20)}`
const HASH = `0x${'B2'.repeat(32)}`
const PEER_ID = '12D3KooWGzxzKZYveHXtpG6AsrUJBcWxHBFS2HsEoGTxrMLvKXtf'
const NAMES = [ACCOUNT, HASH, PEER_ID, '/ip4/192.0.2.7/tcp/4001', '/dns4/relay.example.org/tcp/1']

describe('The log', () => {
  function capture(level: 'info' | 'debug') {
    const lines: string[] = []
    return { lines, log: createLogger(level, { write: (line) => void lines.push(line) }) }
  }

  it('names nobody at info level and above, wherever a name stands', () => {
    const { lines, log } = capture('info')
    for (const name of NAMES) {
      log.info(`${name} is away`)
      log.warn({ peer: name }, 'A peer is away')
      log.error({ err: new MainframeError('INTERNAL', `${name} broke`, { details: { name } }) })
    }
    assert.equal(lines.length, 3 * NAMES.length)
    for (const line of lines) {
      for (const name of NAMES) assert.ok(!line.includes(name), line)
      JSON.parse(line)
    }
  })

  it('keeps the hash of an own transaction, the admin URL and plain words', () => {
    const { lines, log } = capture('info')
    log.info({ transaction: HASH }, 'Claimed earnings')
    log.info({ admin: 'http://127.0.0.1:9464' }, 'Listening')
    assert.equal(JSON.parse(lines[0] ?? '').transaction, HASH)
    assert.equal(JSON.parse(lines[1] ?? '').admin, 'http://127.0.0.1:9464')
  })

  it('is told whole to whoever looks for a fault', () => {
    const { lines, log } = capture('debug')
    log.debug(`${PEER_ID} is away`)
    assert.ok(lines[0]?.includes(PEER_ID))
  })
})
