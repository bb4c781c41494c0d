import assert from 'node:assert/strict'
import { copyFile, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  createKeyPair,
  decodeInstruction,
  type KeyPair,
  openPacket,
  type PayerLink,
  unitsToBase,
} from '@mainframe/protocol'
import type { AuditReport } from '../../node/src/accounts/audit.ts'
import type { EarningsReport } from '../../node/src/accounts/earnings.ts'
import { auditFolder } from '../../node/src/accounts/office.ts'
import { askRelay } from '../../node/src/admin-client.ts'
import { readVouchers } from '../../node/src/payments/voucher-log.ts'
import type { Watchtower } from '../../node/src/watchtower/tower.ts'
import { startChain, type TestChain } from '../helpers/chain.ts'
import { MFT, until } from './chain-support.ts'
import {
  createTestRelays,
  removeTestRelay,
  startTestRelay,
  startTestTower,
  statusOf,
  TestClient,
  type TestRelay,
} from './support/network.ts'

describe('Four relays on a chain', () => {
  let chain: TestChain
  let relays: TestRelay[] = []
  let client: TestClient
  let entry: PayerLink
  let tower: Watchtower
  before(async () => {
    chain = await startChain({ intervalMs: 100 })
    relays = await createTestRelays(chain, 4)
    tower = await startTestTower(chain)
    const watched = relay(0)
    watched.config = { ...watched.config, watchtowers: [tower.listening.url] }
    const running = await Promise.all(relays.map(startTestRelay))
    await Promise.all(running.map(({ ready }) => ready))
    client = await TestClient.create(chain, await chain.createAccount(1_000n * MFT))
    entry = await client.paidLink(relay(0))
  })
  after(async () => {
    await entry?.close()
    await client?.stop()
    await tower?.stop()
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

  it('gives its vouchers to its watchtower, and says what that one lacks', async () => {
    await until(async () => {
      const { unclaimedBase, watchtowers } = await statusOf(relay(0))
      const [copy] = watchtowers
      return (
        BigInt(unclaimedBase) > 0n && copy !== undefined && Object.keys(copy.behind).length === 0
      )
    })
    const { watchtowers } = await statusOf(relay(0))
    assert.equal(watchtowers[0]?.url, tower.listening.url)
    assert.ok((watchtowers[0]?.answeredMs ?? 0) > 0)
    assert.deepEqual((await statusOf(relay(1))).watchtowers, [])
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

  it('changes its prices on the board when it starts with other settings', async () => {
    const changed = relay(3)
    await changed.relay?.stop()
    changed.config = { ...changed.config, routeUnits: 800, marginPercent: 10 }
    await startTestRelay(changed)
    const isAsked = () => {
      const { routeUnits, holdUnitsPerHour } = client.entry(changed).prices ?? {}
      return routeUnits === 880 && holdUnitsPerHour === 55
    }
    await until(isAsked, 15_000)
    assert.match(changed.log.join(''), /"msg":"Prices changed"/)
    await until(async () => (await statusOf(changed)).ready, 15_000)
  })

  it('counts what went on to peers apart from what it was paid', async () => {
    const { debitedUnits, passedOnUnits } = await statusOf(relay(0))
    assert.ok(passedOnUnits > 0 && passedOnUnits < debitedUnits)
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

  const audit = async ({ config }: TestRelay) =>
    (await askRelay(config.dataFolder, '/audit', 'POST')) as unknown as AuditReport
  const earningsOf = async ({ config }: TestRelay) =>
    (await askRelay(config.dataFolder, '/earnings')) as unknown as EarningsReport

  it('knows where every base unit is, while packets come and go and when it is quiet', async () => {
    const inbox = createKeyPair()
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) entry.enqueue(client.packet(inbox, `${round} ${i}`, [relay(2)]))
      const { balanced, differences, channels } = await audit(relay(0))
      assert.deepEqual([balanced, differences, channels], [true, [], 7])
    }
    const { balances } = await audit(relay(0))
    const places = balances.filter(({ base }) => BigInt(base) > 0n).map(({ account }) => account)
    for (const place of ['wallet', 'vault', 'stake', 'vouchers', 'unsigned', 'signed', 'gas']) {
      assert.ok(places.includes(place as never), place)
    }
  })

  it('knows what it earned, for what and from whom', async () => {
    let status = await statusOf(relay(0))
    let earnings: EarningsReport['media'][number] | undefined
    await until(async () => {
      const before = status
      earnings = (await earningsOf(relay(0))).media[0]
      status = await statusOf(relay(0))
      return (
        `${before.earnedBase} ${before.debitedUnits}` ===
        `${status.earnedBase} ${status.debitedUnits}`
      )
    })
    assert.ok(earnings)
    const { total, peers, advances } = earnings
    const base = (text: string) => BigInt(text)
    assert.equal(base(total.earned) + base(advances), BigInt(status.earnedBase))
    assert.equal(total.unattributed, '0')
    const charged = [total.route, total.hold, total.onward, total.surplus].map(base)
    assert.equal(
      charged.reduce((sum, one) => sum + one, 0n),
      unitsToBase(status.debitedUnits),
    )
    assert.ok(charged.every((one) => one > 0n))
    assert.equal(peers[0]?.account, client.account)
    assert.ok(base(total.signedAway) > 0n, 'it paid others for what it passed on')
  })

  it('is audited when it has stopped, and where something is missing that is named to the unit', async () => {
    const stopped = relay(3)
    await stopped.relay?.stop()
    assert.deepEqual((await auditFolder(stopped.config)).differences, [])
    const { dataFolder } = stopped.config
    const ledger = join('accounts', (await readdir(join(dataFolder, 'accounts')))[0] ?? '')

    /** What an audit finds when a file is not what it was. */
    const without = async (name: string, tamper: (path: string) => Promise<void>) => {
      const path = join(dataFolder, name)
      await copyFile(path, `${path}.kept`)
      await tamper(path)
      const report = await auditFolder(stopped.config)
      await rm(path, { force: true })
      await copyFile(`${path}.kept`, path)
      await rm(`${path}.kept`)
      return report
    }
    const sums = ({ balances }: AuditReport, account: string) =>
      balances.filter((row) => row.account === account).map(({ base }) => base)
    const cutLast = async (path: string) => {
      const bytes = await readFile(path)
      bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1
      await writeFile(path, bytes)
    }

    const whole = await auditFolder(stopped.config)
    assert.equal(whole.balanced, true)
    const noVouchers = await without('vouchers.log', (path) => rm(path))
    const missing = noVouchers.differences.map(({ account, foundBase, differenceBase }) => {
      assert.deepEqual([account, foundBase], ['vouchers', '0'])
      return BigInt(differenceBase)
    })
    assert.deepEqual([`${-missing.reduce((a, b) => a + b, 0n)}`], sums(whole, 'vouchers'))
    assert.ok(noVouchers.notes.includes('The log of vouchers is missing'))

    let expected = {}
    const before = await readVouchers(join(dataFolder, 'vouchers.log'))
    const cut = await without('vouchers.log', async (path) => {
      await cutLast(path)
      const after = await readVouchers(path)
      const [lost] = [...before.entries].filter(
        ([id, { amount }]) => after.entries.get(id)?.amount !== amount,
      )
      assert.ok(lost)
      const [channelId, { amount }] = lost
      expected = {
        channelId,
        differenceBase: `${(after.entries.get(channelId)?.amount ?? 0n) - amount}`,
      }
    })
    assert.equal(cut.differences.length, 1)
    const { channelId, differenceBase } = cut.differences[0] ?? {}
    assert.deepEqual({ channelId, differenceBase }, expected)

    const noLedger = await without(ledger, (path) => rm(path))
    assert.ok(noLedger.differences.every(({ ledgerBase }) => ledgerBase === '0'))
    for (const place of ['wallet', 'stake', 'vouchers'] as const) {
      const found = noLedger.differences.filter(({ account }) => account === place)
      const sum = (of: readonly string[]) => of.reduce((total, base) => total + BigInt(base), 0n)
      assert.equal(sum(found.map((one) => one.differenceBase)), sum(sums(whole, place)), place)
    }
    assert.ok(![noVouchers, cut, noLedger].some(({ balanced }) => balanced))
    const noSheet = await without(ledger, cutLast)
    assert.ok(noSheet.notes.some((note) => note.startsWith('The relay was killed')))
    const noSigned = await without('signed.log', (path) => rm(path))
    const accounts = new Set(noSigned.differences.map(({ account }) => account))
    assert.deepEqual(accounts, new Set(['signed', 'unsigned']))
    assert.equal(noSigned.balanced, false)
    assert.deepEqual(await auditFolder(stopped.config), whole)
  })
})
