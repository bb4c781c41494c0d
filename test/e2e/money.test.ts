import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, describe, it } from 'node:test'
import {
  claimEarnings,
  fetchStatus,
  type Person,
  type RelayProcess,
  readConservation,
} from '@mainframe/localnet'
import { minutesNow, roundUpExpiry } from '@mainframe/protocol'
import type { ChannelSpending, CloseOutcome, Mainframe } from '@mainframe/sdk'
import { askRelay } from '../../node/src/admin-client.ts'
import { inboxPacket } from '../node/support/rule-world.ts'
import { Mailbox } from './support/mailbox.ts'
import {
  goOnLine,
  invite,
  relayOf,
  revive,
  startNetwork,
  type TestNetwork,
} from './support/network.ts'
import { channelOf, creditOf, meet } from './support/stranger.ts'
import { until, within } from './support/waiting.ts'

/** More than any packet costs here. */
const POSTAGE_UNITS = 1_000_000
/** More than was signed to prove a key, less than a window. */
const FORGED_BASE = 10n ** 15n

describe('the money of a network', () => {
  let network: TestNetwork
  let people: readonly [Person, Person, Person]
  let alice: Mainframe
  let bob: Mainframe
  let mailbox: Mailbox
  /** What Mallory signed in earnest. */
  let mallorysBase = 0n
  before(async () => {
    network = await startNetwork(5)
    people = await invite(network, ['Alice', 'Bob', 'Mallory'])
    alice = await goOnLine(people[0], network)
    bob = await goOnLine(people[1], network)
    mailbox = new Mailbox(bob)
  })
  after(() => network?.shutdown.stop())

  const claimAll = () => Promise.all(network.relays.map((relay) => claimEarnings(relay)))
  const statuses = () => Promise.all(network.relays.map(fetchStatus))

  async function conservation() {
    const users = people.map(({ account }) => account)
    const found = await readConservation(network.chain, network.relays, users)
    const { deposited, relaysNet, unsigned, ok } = found
    assert.ok(ok, `${deposited} = ${relaysNet} + ${unsigned}`)
    for (const { folder } of network.relays) {
      const { balanced, differences } = await askRelay(folder, '/audit', 'POST')
      assert.ok(balanced, JSON.stringify(differences))
    }
    return found
  }

  /** Sends that many packets' worth to Bob and waits for his acknowledgement. */
  async function spend(bytes: number): Promise<void> {
    const sent = await alice.send(bob.contactCode, Uint8Array.from(randomBytes(bytes)))
    await mailbox.take(sent.messageId)
    await within('the message is acknowledged', sent.delivered)
  }

  /** Alice's channel to a relay. */
  async function channelTo({ nodeId }: RelayProcess): Promise<ChannelSpending> {
    const channels = (await alice.spending()).channels
    return channels.find((channel) => channel.nodeId === nodeId) ?? assert.fail('no such channel')
  }

  /** A voucher may still be under way when its message has arrived, so this may take two claims. */
  async function claimUntilNothingIsLeft(client: Mainframe): Promise<void> {
    await until('all that was signed is claimed', async () => {
      await claimAll()
      return (await client.spending()).channels.every(isClaimed)
    })
  }

  it('stays with the users who only deposit it, but for the units that prove their keys', async () => {
    await Promise.all([alice, bob].map((client) => client.openChannel()))
    await Promise.all([alice, bob].map(claimUntilNothingIsLeft))
    const { deposited, relaysNet, unsigned } = await conservation()
    assert.equal(relaysNet, await signedBy(alice, bob))
    const { priceBase } = await alice.estimate(1)
    assert.ok(relaysNet < priceBase, 'less than the smallest message costs')
    assert.equal(unsigned, deposited - relaysNet)
  })

  it('pays nobody without a good voucher, and what is not paid goes nowhere', async () => {
    const [, , mallorysAccount] = people
    const mallory = await goOnLine(mallorysAccount, network)
    await mallory.openChannel()
    const relay = relayOf(network, mallory.relays.entry)
    await until('the relay has seen the deposit', async () => {
      const [row] = (await mallory.spending()).channels
      await claimEarnings(relay)
      return row !== undefined && row.claimedBase > 0n
    })
    const open = await channelOf(mallory, mallorysAccount, network)
    mallorysBase = await signedBy(mallory)
    await mallory.close()
    const before = await statuses()

    const { chain } = network
    const signWith = Uint8Array.from(randomBytes(32))
    const elsewhere = { ...open, terms: { ...open.terms, noticeSeconds: 2_000_000 } }
    const bad = [
      { outcome: 'unknown-channel', body: creditOf(elsewhere, FORGED_BASE, { chain }) },
      { outcome: 'bad-signature', body: creditOf(open, FORGED_BASE, { chain, signWith }) },
      { outcome: 'over-deposit', body: creditOf(open, open.depositBase + 1n, { chain }) },
      { outcome: 'over-window', body: creditOf(open, open.depositBase, { chain }) },
    ]
    for (const { outcome, body } of bad) {
      const link = await meet(relay, network)
      link.credit(body)
      assert.equal(await within('the voucher is judged', link.verdict()), outcome)
      link.packet(inboxPacket('', roundUpExpiry(minutesNow() + 60)), POSTAGE_UNITS)
      assert.equal(await within('the packet is judged', link.refusal()), 'no-credit')
      link.abort()
    }

    const now = await statuses()
    const which = network.relays.indexOf(relay)
    assert.equal(now[which]?.outcomes['no-credit'], bad.length)
    for (const { outcome } of bad) {
      const counted = (status = now[which]) => status?.vouchers[outcome] ?? 0
      assert.equal(counted() - counted(before[which]), 1, outcome)
    }
    for (const [i, { carried, debitedUnits, earnedBase }] of now.entries()) {
      assert.equal(carried, before[i]?.carried, 'no relay carried anything')
      assert.equal(debitedUnits, before[i]?.debitedUnits)
      assert.equal(earnedBase, before[i]?.earnedBase, 'no relay earned anything')
    }
  })

  it('ends up with the relays as far as users signed it, and with the users for the rest', async () => {
    await spend(20_000)
    await Promise.all([alice, bob].map(claimUntilNothingIsLeft))
    const { relaysNet } = await conservation()
    assert.equal(relaysNet, (await signedBy(alice, bob)) + mallorysBase)
    await until('each relay has seen its claims', async () =>
      (await statuses()).every(({ earnedBase, claimedBase }) => claimedBase === earnedBase),
    )
  })

  it('is claimed by a relay that was killed between voucher and claim', async () => {
    const relay = relayOf(network, alice.relays.entry)
    await spend(20_000)
    const promised = await fetchStatus(relay)
    await relay.service.kill()
    assert.ok(!isClaimed(await channelTo(relay)), 'there is something to claim')

    const restarted = await revive(network, relay)
    const { earnedBase } = await fetchStatus(restarted)
    assert.ok(BigInt(earnedBase) >= BigInt(promised.earnedBase), 'it remembers what was promised')
    await claimUntilNothingIsLeft(alice)
    await conservation()
  })

  it('is claimed once by a relay that was killed in the midst of a claim', async () => {
    await spend(20_000)
    const relay = relayOf(network, alice.relays.entry)
    const claiming = claimEarnings(relay).catch(() => 'the relay was killed')
    await relay.service.kill()
    await claiming
    await revive(network, relay)
    await claimUntilNothingIsLeft(alice)
    await conservation()
  })

  it('comes back at once to a payer whose relays let him go, but for what he signed', async () => {
    const before = (await bob.balance()).mftBase
    const unsigned = await unsignedOf(bob)
    const closed = await bob.closeChannel()
    assert.ok(closed.length > 0 && closed.every(({ state }) => state === 'closed'))
    const { mftBase, vaultBase } = await bob.balance()
    assert.deepEqual([mftBase, vaultBase], [before + unsigned, 0n])
  })

  it('comes back to a payer who leaves relays that are away, but for what he signed', async () => {
    await spend(1_000)
    const before = (await alice.balance()).mftBase
    const channels = (await alice.spending()).channels
    const away = network.relays.filter(({ nodeId }) => channels.some((c) => c.nodeId === nodeId))
    for (const relay of away) await relay.service.kill()
    const closing = await alice.closeChannel()
    assert.ok(closing.every(({ state }) => state === 'closing'))
    for (const relay of away) await revive(network, relay)
    await until('the relays claim by themselves', async () =>
      (await alice.spending()).channels.every(isClaimed),
    )
    const unsigned = await unsignedOf(alice)
    await passTime(Math.max(...closing.map((close) => (close as Closing).closesAtSeconds)))
    const closed = await alice.closeChannel()
    assert.ok(closed.every(({ state }) => state === 'closed'))
    assert.equal((await alice.balance()).mftBase, before + unsigned)
  })

  /** Moves the chain's clock to that time. */
  async function passTime(toSeconds: number): Promise<void> {
    const { provider } = network.chain
    const latest = await provider.getBlock('latest')
    await provider.send('evm_increaseTime', [toSeconds - (latest?.timestamp ?? 0)])
    await provider.send('hardhat_mine', ['0x1'])
  }
})

type Closing = Extract<CloseOutcome, { state: 'closing' }>

function isClaimed({ claimedBase, signedBase }: ChannelSpending): boolean {
  return claimedBase === signedBase
}

async function unsignedOf(client: Mainframe): Promise<bigint> {
  return (await client.spending()).channels.reduce(
    (sum, { remainingBase }) => sum + remainingBase,
    0n,
  )
}

async function signedBy(...clients: readonly Mainframe[]): Promise<bigint> {
  const rows = await Promise.all(clients.map(async (client) => (await client.spending()).channels))
  return rows.flat().reduce((sum, { signedBase }) => sum + signedBase, 0n)
}
