import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  createKeyPair,
  decodeInstruction,
  type KeyPair,
  openPacket,
  type PayerLink,
} from '@mainframe/protocol'
import { askRelay } from '../../node/src/admin-client.ts'
import { startChain, type TestChain } from '../helpers/chain.ts'
import { MFT, until } from './chain-support.ts'
import {
  createTestRelays,
  removeTestRelay,
  startTestRelay,
  statusOf,
  TestClient,
  type TestRelay,
} from './support/network.ts'

describe('Four relays on a chain', () => {
  let chain: TestChain
  let relays: TestRelay[] = []
  let client: TestClient
  let entry: PayerLink
  before(async () => {
    chain = await startChain({ intervalMs: 100 })
    relays = await createTestRelays(chain, 4)
    const running = await Promise.all(relays.map(startTestRelay))
    await Promise.all(running.map(({ ready }) => ready))
    client = await TestClient.create(chain, await chain.createAccount(1_000n * MFT))
    entry = await client.paidLink(relay(0))
  })
  after(async () => {
    await entry?.close()
    await client?.stop()
    await Promise.all(relays.map(removeTestRelay))
    await chain?.stop()
  })

  function relay(i: number): TestRelay {
    const found = relays[i]
    assert.ok(found)
    return found
  }

  /** Subscribes at a relay without paying; what the inbox opened. */
  async function subscribe(at: TestRelay, inbox: KeyPair, texts: string[]): Promise<PayerLink> {
    const { link } = await client.link(at, {
      onDeliver: (packet) => {
        const content = openPacket(packet, inbox)
        const found = typeof content === 'string' ? undefined : decodeInstruction(content)
        if (found?.kind === 'message') texts.push(Buffer.from(found.payload).toString())
      },
    })
    link.subscribe({ bits: 0, prefix: new Uint8Array(32), cursor: 0 })
    return link
  }

  it('links every relay to every other and pays for it', async () => {
    for (const each of relays) {
      const { links, relays: known, ready } = await statusOf(each)
      assert.deepEqual([links.wanted, links.usable, known, ready], [3, 3, 4, true])
    }
  })

  it('forwards through three hops to all relays, where the inbox is found by nobody but its owner', async () => {
    const inbox = createKeyPair()
    const held = await Promise.all(relays.map(async (each) => (await statusOf(each)).held.packets))
    const hops = [relay(1), relay(2), relay(3)]
    assert.ok(entry.enqueue(client.packet(inbox, 'through three hops', hops)))
    await until(async () => {
      const now = await Promise.all(relays.map(async (each) => (await statusOf(each)).held.packets))
      return now.every((packets, i) => packets === (held[i] ?? 0) + 1)
    })
    const texts: string[] = []
    const links = await Promise.all(relays.map((each) => subscribe(each, inbox, texts)))
    await until(() => texts.length === 4)
    assert.deepEqual(new Set(texts), new Set(['through three hops']))
    for (const link of links) await link.close()
    // each publishes at the end of an interval of its own
    for (const hop of hops) await until(async () => (await statusOf(hop)).opened.forward > 0)
    for (const each of relays) {
      const { opened, outcomes } = await statusOf(each)
      assert.equal(opened.message, 0, 'no relay opens the last leg')
      assert.equal(opened.lost + opened.short, 0)
      assert.equal(outcomes.busy, 0)
    }
    assert.deepEqual(
      await Promise.all(relays.map(async (each) => (await statusOf(each)).opened.forward)),
      [0, 1, 1, 1],
    )
  })

  it('measures what docs/metrics.md lists, no more and no less', async () => {
    const { dataFolder } = relay(0).config
    const { url, token } = JSON.parse(await readFile(join(dataFolder, 'admin.json'), 'utf8'))
    const headers = { authorization: `Bearer ${token}` }
    const text = await (await fetch(`${url}/metrics`, { headers })).text()
    const measured = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [
      name,
      type,
    ])
    const docs = await readFile(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
    const listed = [...docs.matchAll(/^\| `(\w+)(?:\{\w+\})?` \| (\w+) \|/gm)]
    assert.deepEqual(measured.toSorted(), listed.map(([, name, type]) => [name, type]).toSorted())
    assert.match(text, /mainframe_relay_packets_total\{outcome="no-credit"\} 0\n/)
  })

  it('claims what it earned on chain, once', async () => {
    const { unclaimedBase } = await statusOf(relay(0))
    const { claim } = await askRelay(relay(0).config.dataFolder, '/claim', 'POST')
    const { txHash, paid } = claim as { txHash: string; paid: Record<string, string> }
    const paidBase = paid[chain.deployment.token] ?? 0
    assert.ok(BigInt(paidBase) >= BigInt(unclaimedBase))
    const receipt = await chain.request<{ status: string }>('eth_getTransactionReceipt', [txHash])
    assert.equal(Number(receipt.status), 1)
    await until(async () => BigInt((await statusOf(relay(0))).claimedBase) === BigInt(paidBase))
    const { lastClaim } = await statusOf(relay(0))
    assert.equal(lastClaim?.txHash, txHash)
  })

  it('brings a relay that was away what it missed, and it remembers what it held', async () => {
    const absent = relay(2)
    const before = (await statusOf(absent)).held.packets
    await absent.relay?.stop()
    const inbox = createKeyPair()
    for (const text of ['one', 'two', 'three']) {
      assert.ok(entry.enqueue(client.packet(inbox, text, [relay(1)])))
    }
    await until(async () => (await statusOf(relay(3))).held.packets === before + 3)
    assert.ok((await statusOf(relay(1))).queues.owed > 0)
    await startTestRelay(absent)
    await until(async () => (await statusOf(absent)).held.packets === before + 3, 15_000)
    const texts: string[] = []
    const link = await subscribe(absent, inbox, texts)
    await until(() => texts.length === 3)
    assert.deepEqual(texts.toSorted(), ['one', 'three', 'two'])
    await link.close()
    assert.equal((await statusOf(relay(1))).queues.owed, 0)
  })

  it('logs no payload, address or peer at info level', async () => {
    const lines = relays.flatMap(({ log }) => log).join('')
    assert.match(lines, /"msg":"Listening"/)
    assert.match(lines, /"msg":"Ready"/)
    assert.match(lines, /"msg":"Claimed earnings"/)
    const secrets = relays.flatMap((each) => {
      const { nodeId, address, peerKey, row } = client.entry(each)
      const peerIds = each.relay?.listening.multiaddrs.map((text) => text.split('/').at(-1) ?? text)
      return [nodeId, address, peerKey, row.operator, row.payee, ...(peerIds ?? [])]
    })
    assert.equal(secrets.length, 6 * relays.length)
    for (const secret of secrets) {
      const text = typeof secret === 'string' ? secret : Buffer.from(secret).toString('hex')
      assert.ok(!lines.toLowerCase().includes(text.toLowerCase().replace(/^0x/, '')), text)
    }
    assert.ok(!/\/ip4\/|[0-9a-f]{200}|[A-Za-z0-9+/]{200}/.test(lines), 'no bytes of packets')
  })

  it('is healthy, and says so', async () => {
    for (const path of ['/healthz', '/readyz']) {
      const answer = await askRelay(relay(0).config.dataFolder, path)
      assert.deepEqual(answer, { ok: true, reasons: [] })
    }
  })

  it('carries a stream of packets, every one to every relay', async (t) => {
    const inbox = createKeyPair()
    const count = 300
    const before = await Promise.all(
      relays.map(async (each) => (await statusOf(each)).held.packets),
    )
    const packets = Array.from({ length: count }, (_, i) => client.packet(inbox, `${i}`))
    const start = performance.now()
    for (const packet of packets) {
      while (!entry.enqueue(packet)) await new Promise((resolve) => setTimeout(resolve, 5))
    }
    await until(async () => {
      const now = await Promise.all(relays.map(async (each) => (await statusOf(each)).held.packets))
      return now.every((held, i) => held === (before[i] ?? 0) + count)
    }, 30_000)
    const seconds = (performance.now() - start) / 1000
    t.diagnostic(`${Math.round(count / seconds)} packets a second to four relays of one process`)
  })
})
