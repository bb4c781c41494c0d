import assert from 'node:assert/strict'
import { afterEach, describe, it } from 'node:test'
import { MainframeError } from '@mainframe/protocol'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { PEERS_PER_BIN } from '../../../node/src/links/peer-choice.ts'
import { Peers } from '../../../node/src/links/peers.ts'
import { createView } from '../../../node/src/routing/overlay.ts'
import { DOMAIN } from '../support/payee-world.ts'
import { relay } from '../support/rule-world.ts'

/** An entry as far as dialling goes; nobody is there to look at the rest. */
function entry(bits: string): RelayEntry {
  const { address, peerKey, prices } = relay(bits)
  return { address, peerKey, prices, nodeKey: address, multiaddrs: [] } as unknown as RelayEntry
}

const SELF = relay('0000').address
const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe('The peers that a relay dials', () => {
  let peers: Peers | undefined
  afterEach(() => peers?.stop())

  /** Every dial fails; which were tried, in order. */
  function dialling(onDial: (peerKey: string) => void = () => {}) {
    const dialled: string[] = []
    const never = () => Promise.reject(new MainframeError('INTERNAL', 'nothing is opened here'))
    peers = new Peers({
      network: {
        open: async (target) => {
          const { peerKey } = target as RelayEntry
          dialled.push(peerKey)
          onDial(peerKey)
          throw new MainframeError('NETWORK_CLOSED', 'refused')
        },
      },
      channels: { ensure: never, topUp: never, isLow: () => false, leave: () => {} },
      router: { onAccepted: () => {}, onRefused: () => {}, onLost: () => {}, onLinkUp: () => {} },
      domain: DOMAIN,
      addressesOf: async ({ multiaddrs }) => multiaddrs,
      payWith: [],
      boardPrices: ({ prices }) => prices,
      retryMs: 10,
      onFailure: () => {},
    })
    return { peers, dialled }
  }

  it('are all neighbours, and four of every shallower bin', async () => {
    const shallow = Array.from({ length: 16 }, (_, i) => `1${i.toString(2).padStart(4, '0')}`)
    const neighbours = ['001', '0001', '01']
    const made = dialling()
    made.peers.update(createView(SELF, 1, [...shallow, ...neighbours].map(entry)))
    await settle(0)
    const inBin = made.dialled.filter((bits) => bits.startsWith('1'))
    assert.equal(inBin.length, PEERS_PER_BIN)
    assert.deepEqual(made.dialled.filter((bits) => bits.startsWith('0')).sort(), neighbours.sort())
    assert.deepEqual(made.peers.counts, { wanted: PEERS_PER_BIN + 3, usable: 0 })
  })

  it('are everybody while the luminosity is 0', async () => {
    const made = dialling()
    made.peers.update(createView(SELF, 0, ['1', '01', '001'].map(entry)))
    await settle(0)
    assert.equal(made.dialled.length, 3)
  })

  it('are replaced in their bin when they keep failing, and still tried', async () => {
    const shallow = Array.from({ length: 8 }, (_, i) => `1${i.toString(2).padStart(3, '0')}`)
    const made = dialling()
    made.peers.update(createView(SELF, 1, shallow.map(entry)))
    for (let i = 0; i < 60 && new Set(made.dialled).size < 8; i++) await settle(50)
    assert.equal(new Set(made.dialled).size, 8)
  })

  it('are redialled with growing pauses, and at once when they show up', async () => {
    const made = dialling()
    made.peers.update(createView(SELF, 0, [entry('1')]))
    await settle(1_200)
    const tries = made.dialled.length
    assert.ok(tries >= 1 && tries <= 3, `${tries} tries in 1.2 s`)
    made.peers.wake('1')
    await settle(20)
    assert.equal(made.dialled.length, tries + 1)
    made.peers.wake('unknown')
  })

  it('are let go when they leave the network, and when the relay stops', async () => {
    const made = dialling()
    made.peers.update(createView(SELF, 0, ['1', '01'].map(entry)))
    made.peers.update(createView(SELF, 0, ['01'].map(entry)))
    assert.equal(made.peers.counts.wanted, 1)
    await made.peers.stop()
    const tries = made.dialled.length
    await settle(600)
    assert.equal(made.dialled.length, tries)
  })
})
