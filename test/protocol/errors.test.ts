import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { errorCode, MainframeError } from '@mainframe/protocol'

describe('MainframeError', () => {
  it('carries code, message, details, cause and whether to try again', () => {
    const cause = new MainframeError('NETWORK_TIMEOUT', 'slow')
    const details = { host: 'a' }
    const error = new MainframeError('NETWORK_CLOSED', 'gone', { cause, details, retryable: true })
    assert.ok(error instanceof Error)
    assert.deepEqual(
      [error.name, error.code, error.message, error.details, error.cause, error.retryable],
      ['MainframeError', 'NETWORK_CLOSED', 'gone', details, cause, true],
    )
    const plain = new MainframeError('INTERNAL', 'bug')
    assert.deepEqual([plain.details, plain.retryable, 'cause' in plain], [{}, false, false])
  })

  it('errorCode knows our codes, on any error that carries one, and no others', () => {
    assert.equal(errorCode(new MainframeError('INTERNAL', 'bug')), 'INTERNAL')
    assert.equal(errorCode(Object.assign(new Error('copy'), { code: 'INTERNAL' })), 'INTERNAL')
    for (const code of ['ENOENT', 'toString', '', 5, undefined]) {
      assert.equal(errorCode(Object.assign(new Error('other'), { code })), undefined)
    }
    for (const value of [undefined, null, 'INTERNAL', { code: 'INTERNAL' }]) {
      assert.equal(errorCode(value), undefined)
    }
  })
})
