/**
 * A relay process that is killed, again and again, while one payer sends vouchers and packets to it
 * and it claims. `RELAY_KILLS` sets how often (6 unless told otherwise), `FUZZ_SEED` repeats the
 * moments as far as a machine can.
 */
import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { minutesNow, type PayerLink, roundUpExpiry, type Shipment } from '@mainframe/protocol'
import { Service } from '../../../localnet/src/service.ts'
import { askRelay } from '../../../node/src/admin-client.ts'
import { openVoucherLog } from '../../../node/src/payments/voucher-log.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { MFT, until } from '../chain-support.ts'
import {
  createTestRelays,
  removeTestRelay,
  statusOf,
  TestClient,
  type TestRelay,
} from '../support/network.ts'
import { inboxPacket } from '../support/rule-world.ts'
import { Seeded } from '../support/seeded.ts'
import { UNIT, vaultOf } from './support.ts'

const KILLS = Number(process.env.RELAY_KILLS ?? 6)
const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 32))
const CLI = new URL('../../../node/src/cli.ts', import.meta.url).pathname
const LISTENING_TIMEOUT_MS = 60_000
/** More than the relay asks for a day, which a long run may take a part of. */
const POSTAGE = 3_000
const HOLD_MINUTES = 1_440
/** Packets that are under way at a time. */
const UNDER_WAY = 64
/** A kill comes this long after the link has credit, at most; one in four comes while the relay starts. */
const LATEST_KILL_MS = 800
const LATEST_EARLY_KILL_MS = 1_500

const random = new Seeded(SEED)

/** What the payer was told, over all links. */
interface Told {
  servedPackets: number
  /** Why packets were not taken: there is no reason. */
  refusals: string[]
  /** The greatest voucher that was acknowledged, and that was signed, base units. */
  acknowledgedBase: bigint
  signedBase: bigint
}

describe(`A relay that is killed ${KILLS} times (FUZZ_SEED=${SEED})`, () => {
  let chain: TestChain
  let relay: TestRelay
  let client: TestClient
  let service: Service | undefined
  const told: Told = { servedPackets: 0, refusals: [], acknowledgedBase: 0n, signedBase: 0n }
  let links = 0
  let claims = 0

  before(async () => {
    chain = await startChain({ intervalMs: 100 })
    const [only] = await createTestRelays(chain, 1)
    relay = only ?? assert.fail()
    const settings = JSON.parse(await readFile(relay.configFile, 'utf8'))
    await writeFile(relay.configFile, JSON.stringify({ ...settings, logLevel: 'warn' }))
  })
  after(async () => {
    await service?.kill()
    await client?.stop()
    await removeTestRelay(relay)
    await chain?.stop()
  })

  function spawn(): Service {
    return new Service({
      name: 'relay',
      args: [CLI, 'start', '--json', '--config', relay.configFile],
      logFile: join(relay.config.dataFolder, 'relay.log'),
    })
  }

  /** Starts it and sees that it says of its own what it held before. */
  async function start(): Promise<Service> {
    const started = spawn()
    service = started
    await started.waitFor('listening', LISTENING_TIMEOUT_MS)
    client ??= await TestClient.create(chain, await chain.createAccount(10n * MFT))
    const { earnedBase, held } = await statusOf(relay)
    assert.ok(BigInt(earnedBase) >= told.acknowledgedBase, `${earnedBase} is known as earned`)
    assert.ok(
      held.packets >= told.servedPackets,
      `${held.packets} of ${told.servedPackets} are held`,
    )
    return started
  }

  /** A link that is kept full of packets until it ends. */
  async function pay(): Promise<PayerLink> {
    const shipment = (): Shipment => ({
      packet: inboxPacket('', roundUpExpiry(minutesNow() + HOLD_MINUTES)),
      postageUnits: POSTAGE,
      level: 0,
    })
    let paid: PayerLink | undefined
    const link: PayerLink = await client.paidLink(relay, {
      onAccepted: () => {
        told.servedPackets += 1
        paid?.enqueue(shipment())
      },
      onRefused: (_, reason) => void told.refusals.push(reason),
      // one voucher at a time is under way; the first of a link is of one unit
      onCredit: () => {
        told.acknowledgedBase = paid?.channel?.signedBase ?? told.acknowledgedBase
      },
    })
    paid = link
    void link.closed.then(() => {
      told.signedBase = link.channel?.signedBase ?? assert.fail('it was never paid')
    })
    links += 1
    for (let i = 0; i < UNDER_WAY; i++) link.enqueue(shipment())
    return link
  }

  /** What the killed relay left on disk holds all that the payer was told, and nothing that he did not sign. */
  async function assertAllIsThere(): Promise<void> {
    if (told.signedBase === 0n) return // killed before it was paid for the first time
    const copy = join(relay.config.dataFolder, 'copy.log')
    await copyFile(join(relay.config.dataFolder, 'vouchers.log'), copy)
    const log = await openVoucherLog(copy)
    await log.close()
    await rm(copy)
    const [voucher] = log.entries.values()
    const durableBase = voucher?.amount ?? 0n
    const servedBase = BigInt(told.servedPackets * POSTAGE) * UNIT
    const seen = JSON.stringify({ ...told, durableBase }, (_, v) =>
      typeof v === 'bigint' ? `${v}` : v,
    )
    assert.ok(durableBase >= told.acknowledgedBase, `a voucher was lost: ${seen}`)
    assert.ok(durableBase >= servedBase, `it served what was not paid: ${seen}`)
    assert.ok(durableBase <= told.signedBase, `it holds what was not signed: ${seen}`)
  }

  /** One life: it starts, serves, perhaps claims, and is killed. */
  async function live(): Promise<void> {
    if (links > 0 && random.below(4) === 0) {
      service = spawn()
      await sleep(random.below(LATEST_EARLY_KILL_MS))
      await service.kill()
      return
    }
    const killed = await start()
    const link = await pay()
    await sleep(random.below(LATEST_KILL_MS))
    const isClaiming = random.below(3) === 0
    const claim = isClaiming ? askRelay(relay.config.dataFolder, '/claim', 'POST') : undefined
    const claimed = claim?.then(
      () => {
        claims += 1
      },
      () => {}, // it was killed in the midst of it
    )
    if (isClaiming) await sleep(random.below(LATEST_KILL_MS))
    await killed.kill()
    await Promise.all([link.closed, claimed])
  }

  it('has every voucher that it acknowledged, each time, and credit for all that it served', async (t) => {
    for (let kills = 0; kills < KILLS; kills++) {
      await live()
      await assertAllIsThere()
    }
    t.diagnostic(
      `${KILLS} kills, ${links} links, ${told.servedPackets} packets served, ${claims} claims finished`,
    )
    assert.ok(told.servedPackets > 0)
    assert.deepEqual(told.refusals, [])
  })

  it('goes on, claims all of it once, and owes nobody anything', async () => {
    await start()
    const link = await pay()
    await until(() => link.backlog.queued + link.backlog.unacknowledged > 0)
    await link.close()
    await until(async () => {
      await askRelay(relay.config.dataFolder, '/claim', 'POST')
      const { unclaimedBase } = await statusOf(relay)
      return BigInt(unclaimedBase) === 0n
    }, 20_000)
    const { earnedBase, claimedBase } = await statusOf(relay)
    assert.equal(earnedBase, claimedBase)
    assert.equal(await vaultOf(chain, { account: relay.keys.hotAccount }), BigInt(earnedBase))
    assert.ok(BigInt(earnedBase) >= told.acknowledgedBase)
    assert.ok(BigInt(earnedBase) <= told.signedBase)
  })
})
