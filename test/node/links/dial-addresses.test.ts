import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { createAddressesOf } from '../../../node/src/links/dial-addresses.ts'

const REGISTERED = '/ip4/127.0.0.1/tcp/1'
const LAST = '/ip4/127.0.0.1/tcp/2'
const SIGNED = '/ip4/127.0.0.1/tcp/3'
const entry = { peerKey: '0x01', multiaddrs: [REGISTERED] } as unknown as RelayEntry
const { signal } = new AbortController()

describe('The addresses at which a peer is dialled', () => {
  function addressesOf(last: string | undefined) {
    const asked: string[] = []
    const find = async (peerKey: string) => {
      asked.push(peerKey)
      return [SIGNED]
    }
    return { asked, dial: createAddressesOf({ addressOf: () => last }, { find }) }
  }

  it('are the registered ones first, and the one where it was last reached', async () => {
    const { asked, dial } = addressesOf(LAST)
    assert.deepEqual(await dial(entry, 0, signal), [REGISTERED, LAST])
    assert.deepEqual(await dial(entry, 1, signal), [REGISTERED, LAST])
    assert.deepEqual(asked, [], 'nobody is asked before a second failure')
  })

  it('are those that it signed besides, after a second failure', async () => {
    const { asked, dial } = addressesOf(REGISTERED)
    assert.deepEqual(await dial(entry, 2, signal), [REGISTERED, SIGNED])
    assert.deepEqual(asked, ['0x01'])
  })
})
