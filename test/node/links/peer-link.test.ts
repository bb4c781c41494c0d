import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import {
  BASE_PER_UNIT,
  COIN_TOKEN,
  encodeFrame,
  encodeHello,
  type Hello,
  type Hex,
  LINK_VERSION,
  MainframeError,
  type Quote,
  readFrames,
  signQuote,
} from '@mainframe/protocol'
import type { RelayEntry } from '../../../node/src/chain/directory.ts'
import { PeerLink } from '../../../node/src/links/peer-link.ts'
import { duplexPair } from '../../protocol/support/duplex.ts'
import { CHAIN_ID, CHANNELS, DOMAIN } from '../support/payee-world.ts'
import { PRICES, relay } from '../support/rule-world.ts'

const SEED = Uint8Array.from(randomBytes(32))
const NODE_KEY = (await generateKeyPairFromSeed('Ed25519', SEED)).publicKey.raw

function signedQuote(changes: Partial<Quote> = {}): Uint8Array {
  const quote = {
    ...PRICES,
    nodeId: new Uint8Array(32),
    payee: new Uint8Array(20),
    token: new Uint8Array(20),
    minDepositBase: BASE_PER_UNIT,
    noticeSeconds: 3_600,
    maxWindowUnits: 1_000,
    confirmations: 0,
    baseUnitsPerUnit: BASE_PER_UNIT,
    expiresAtSeconds: Math.floor(Date.now() / 1000) + 600,
    ...changes,
  }
  return signQuote(SEED, quote, DOMAIN)
}

/** Opens a link to a peer that answers HELLO with this. */
async function openTo(answer: Partial<Hello>, payWith: Hex[] = [COIN_TOKEN]): Promise<PeerLink> {
  const [stream, remote] = duplexPair()
  const never = () => Promise.reject(new MainframeError('INTERNAL', 'no channel is opened here'))
  const hello = { version: LINK_VERSION, chainId: CHAIN_ID, channels: CHANNELS }
  const body = encodeHello({ ...hello, signedQuotes: [signedQuote()], ...answer })
  const answering = (async () => {
    for await (const [frame] of readFrames(remote)) {
      if (frame?.type === 'hello') remote.send(encodeFrame({ type: 'hello', body }))
    }
  })()
  answering.catch(() => {}) // the link under test may abort the stream
  const entry = { ...relay('1'), nodeKey: NODE_KEY, multiaddrs: [] } as unknown as RelayEntry
  const options = {
    network: { open: async () => stream },
    channels: { ensure: never, topUp: never, isLow: () => false, leave: () => {} },
    router: { onAccepted: () => {}, onRefused: () => {}, onLost: () => {}, onLinkUp: () => {} },
    domain: DOMAIN,
    payWith,
    boardPrices: () => PRICES,
    retryMs: 10,
  }
  return await PeerLink.open(entry, options, new AbortController().signal)
}

describe('A link to a peer', () => {
  it('is not opened when the peer answers in another version than was offered', async () => {
    for (const version of [0, LINK_VERSION + 1]) {
      await assert.rejects(openTo({ version }), { code: 'PAYMENT_UNVERIFIED', message: /version/ })
    }
  })

  it('is not opened when the quote is missing or not signed by the node key', async () => {
    const forged = signedQuote()
    forged[0] = (forged[0] ?? 0) ^ 1
    const unsigned = { code: 'PAYMENT_UNVERIFIED', message: /sign/ }
    for (const signedQuotes of [[], [forged], [signedQuote(), forged]]) {
      await assert.rejects(openTo({ signedQuotes }), unsigned)
    }
  })

  it('is not opened when the peer takes nothing that we pay with', async () => {
    const payWith: Hex[] = [`0x${'11'.repeat(20)}`, `0x${'22'.repeat(20)}`]
    await assert.rejects(openTo({}, payWith), {
      code: 'PAYMENT_NO_MEDIUM',
      message: /takes 0x0{40}, and this relay pays with none of them/,
    })
  })

  it('reckons with the quote while it holds, and with the board when that is lower or it has ended', async () => {
    const lower = {
      routeUnits: PRICES.routeUnits - 1,
      holdUnitsPerHour: PRICES.holdUnitsPerHour + 5,
    }
    const soon = Math.floor(Date.now() / 1000) + 59
    const undercut = await openTo({ signedQuotes: [signedQuote(lower)] })
    const ending = await openTo({
      signedQuotes: [signedQuote({ ...lower, expiresAtSeconds: soon })],
    })
    assert.deepEqual(undercut.prices, { ...PRICES, routeUnits: lower.routeUnits })
    assert.equal(ending.prices, PRICES)
    await Promise.all([undercut.close(), ending.close()])
  })

  it('is opened to a peer that speaks the version before, with its one quote', async () => {
    const lower = { routeUnits: PRICES.routeUnits - 1 }
    const link = await openTo({ version: 1, signedQuotes: [signedQuote(lower)] })
    assert.equal(link.prices, PRICES, 'which it need not keep to')
    await link.close()
  })

  it('takes nothing before the peer gave credit', async () => {
    const link = await openTo({})
    assert.ok(!link.canTake(1))
    assert.equal(link.prices, PRICES)
    await link.close()
  })
})
