import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  type ApiNode,
  BASE_PER_UNIT,
  fromHex,
  type Hex,
  paymentChannelsAbi,
  type Quote,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { Interface, Wallet } from 'ethers'
import { Account } from '../../../sdk/src/chain/account.ts'
import { Chain } from '../../../sdk/src/chain/chain.ts'
import { systemClock } from '../../../sdk/src/clock.ts'
import { Directory } from '../../../sdk/src/directory/directory.ts'
import type { Fetch } from '../../../sdk/src/directory/indexer-api.ts'
import { Budget } from '../../../sdk/src/payments/budget.ts'
import { readChannels } from '../../../sdk/src/payments/channel-records.ts'
import {
  type ChannelContext,
  openChannel,
  topUpChannel,
} from '../../../sdk/src/payments/channels.ts'
import { advanceClose } from '../../../sdk/src/payments/close-channel.ts'
import { memoryStore } from '../../../sdk/src/store/memory-store.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { logIndexer } from '../support/log-indexer.ts'
import { registerRelays } from '../support/registered-relays.ts'

const MFT = 10n ** 18n
const RELAYS = 3
const nobodyAnswers = async () => undefined

describe('the client and a real chain', () => {
  let folder: string
  let test: TestChain
  let chain: Chain
  const nodeIds: Hex[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sdk-chain-'))
    test = await startChain()
    const { rpcUrl, deployment } = test
    chain = await Chain.open({ rpcUrl, deployment, pollMs: 20 })
    nodeIds.push(...(await registerRelays(test, folder, RELAYS)))
  })
  after(async () => {
    chain?.close()
    await test?.stop()
    await rm(folder, { recursive: true })
  })

  function directoryOf(fetch: Fetch): Directory {
    const { deployment } = test
    const options = { indexers: ['http://x'], clock: systemClock, refreshMs: 0 }
    return new Directory({ chain, deployment, fetch, ...options })
  }

  async function payer(mft: bigint): Promise<ChannelContext & { mft(): Promise<bigint> }> {
    const { secretKey } = await test.createAccount(mft)
    const account = await Account.open(chain, toHex(secretKey))
    const store = memoryStore()
    const balance = async () => (await chain.funds(test.deployment.token, account.address)).wallet
    const { deployment } = chain
    const token = deployment.token.toLowerCase() as Hex
    const budget = new Budget({ store, clock: systemClock, deployment, token, leastBase: 1n })
    const signerSecretKey = new Uint8Array(32).fill(9)
    return { chain, account, store, signerSecretKey, budget, mft: balance }
  }

  const quoteInMft = (): Quote =>
    ({ ...quote, token: fromHex(test.deployment.token) }) as unknown as Quote
  const quote = {
    minDepositBase: MFT / 10n,
    noticeSeconds: 3_600,
    baseUnitsPerUnit: BASE_PER_UNIT,
  }

  async function wish(depositBase = MFT) {
    const view = await directoryOf(logIndexer(test)).fresh()
    const relay = view.byId.get(nodeIds[0] ?? '0x')
    assert.ok(relay)
    return { relay, quote: quoteInMft(), depositBase, windowUnits: 1_000_000 }
  }

  describe('Chain.open', () => {
    it('says that the RPC does not answer, without its address', async () => {
      const rpcUrl = 'http://127.0.0.1:1/secret-key'
      const opening = Chain.open({ rpcUrl, deployment: test.deployment, pollMs: 20 })
      await assert.rejects(opening, (error) => {
        assert.equal((error as { code?: string }).code, 'CHAIN_UNREACHABLE')
        assert.doesNotMatch(JSON.stringify([String(error), error]), /secret/)
        return true
      })
    })

    it('says that the chain is another one, or holds other contracts', async () => {
      const { rpcUrl, deployment } = test
      await assert.rejects(
        Chain.open({ rpcUrl, deployment: { ...deployment, chainId: 5 }, pollMs: 20 }),
        { code: 'CHAIN_MISMATCH', message: /chain 31337.*chain 5/ },
      )
      const board: Hex = `0x${'12'.repeat(20)}`
      await assert.rejects(
        Chain.open({ rpcUrl, deployment: { ...deployment, board }, pollMs: 20 }),
        {
          code: 'CHAIN_MISMATCH',
          message: /no contract at 0x1212/,
        },
      )
    })
  })

  describe('Directory', () => {
    it('confirms what an honest indexer says', async () => {
      const view = await directoryOf(logIndexer(test)).fresh()
      assert.deepEqual([...view.byId.keys()].sort(), [...nodeIds].sort())
      const asked = view.relays.map(({ prices }) => prices?.routeUnits)
      assert.deepEqual(asked.sort(), [1000, 1001, 1002])
      assert.equal(view.luminosity, 0)
    })

    const lies: [string, string, (node: ApiNode) => void][] = [
      ['record', 'a seal key', (node) => Object.assign(node, { sealKey: `0x${'66'.repeat(32)}` })],
      ['stake', 'a stake', (node) => Object.assign(node, { stake: '1' })],
      [
        'price',
        'a price',
        (node) => Object.assign(node.prices[0] ?? {}, { next: '1', price: '1' }),
      ],
      [
        'node-id',
        'an operator',
        (node) => Object.assign(node, { operator: `0x${'66'.repeat(20)}` }),
      ],
    ]
    for (const [fault, what, lie] of lies) {
      it(`refuses an indexer that changes ${what}`, async () => {
        const directory = directoryOf(logIndexer(test, ([node]) => node && lie(node)))
        await assert.rejects(directory.fresh(), (error) => {
          const { code, details } = error as { code?: string; details?: { fault: string } }
          assert.deepEqual([code, details?.fault], ['INDEXER_INVALID', fault])
          return true
        })
      })
    }

    it('refuses an indexer that speaks of a block which a reorganisation dropped', async () => {
      const snapshot = await test.snapshot()
      await test.mine(3)
      const dropped = await logIndexer(test)(new URL('http://x/v1/nodes'))
      const page = (await dropped.json()) as object
      await test.revert(snapshot)
      await test.passTime(7)
      await test.mine(3)
      const stale = (async (input: URL) =>
        Response.json(input.pathname.endsWith('/network') ? { ...page, users: 0 } : page)) as Fetch
      await assert.rejects(directoryOf(stale).fresh(), {
        code: 'INDEXER_INVALID',
        message: /block/,
      })
    })
  })

  describe('channels', () => {
    it('are opened by one transaction, and pay what the signer signed', async () => {
      const context = await payer(5n * MFT)
      const channel = await openChannel(context, await wish())
      assert.equal(await context.mft(), 4n * MFT)
      const [slot] = await chain.slots([toHex(channel.channelId)])
      assert.deepEqual(slot, { deposit: MFT, claimed: 0n, closesAt: 0, epoch: 1 })
      // the contract computes the same digest, so a voucher on this channel can be claimed
      const { channelId, domainSeparator, epoch } = channel
      const digest = voucherDigest(domainSeparator, { channelId, epoch, amount: 7n })
      const contract = new Interface(paymentChannelsAbi)
      const data = contract.encodeFunctionData('digest', [toHex(channelId), epoch, 7n])
      const { channels } = test.deployment
      assert.equal(
        await test.request('eth_call', [{ to: channels, data }, 'latest']),
        toHex(digest),
      )
    })

    it('are found again, topped up, and taken back after the notice', async () => {
      const context = await payer(5n * MFT)
      const first = await openChannel(context, await wish())
      const again = await openChannel(context, await wish())
      assert.deepEqual(again.channelId, first.channelId)
      assert.equal((await topUpChannel(context, again, MFT)).depositBase, 2n * MFT)
      assert.equal(await context.mft(), 3n * MFT)
      const [record] = await readChannels(context.store)
      assert.ok(record)
      const asked = await advanceClose(context, record, nobodyAnswers)
      assert.ok(asked.state === 'closing')
      assert.equal((await advanceClose(context, record, nobodyAnswers)).state, 'closing')
      await assert.rejects(openChannel(context, await wish()), { code: 'PAYMENT_UNVERIFIED' })
      await test.passTime(3_601)
      assert.equal((await advanceClose(context, record, nobodyAnswers)).state, 'closed')
      assert.equal(await context.mft(), 5n * MFT)
      const next = await openChannel(context, await wish())
      assert.deepEqual([next.epoch, next.signedBase], [2, 0n])
    })
  })

  describe('Account', () => {
    it('takes a key that is none by no other name, and never quotes it', async () => {
      await assert.rejects(Account.open(chain, '0x1234secret'), (error) => {
        assert.equal((error as { code?: string }).code, 'CRYPTO_INVALID_KEY')
        assert.doesNotMatch(JSON.stringify([String(error), error]), /1234secret/)
        return true
      })
    })

    it('sends one transaction after the other, also after one that is refused', async () => {
      const context = await payer(MFT)
      const { account } = context
      const to = test.deployment.token
      const transfer = (amount: bigint) => {
        const data = `0xa9059cbb${'00'.repeat(12)}${'77'.repeat(20)}${word(amount)}`
        return account.send({ to, data, what: 'a transfer' })
      }
      const [one, bad, two] = await Promise.allSettled([
        transfer(1n),
        transfer(2n * MFT),
        transfer(2n),
      ])
      assert.deepEqual(
        [one?.status, bad?.status, two?.status],
        ['fulfilled', 'rejected', 'fulfilled'],
      )
      assert.equal((bad as PromiseRejectedResult).reason.code, 'CHAIN_REJECTED')
      assert.equal(await context.mft(), MFT - 3n)
    })

    it('says that it lacks the coin for gas', async () => {
      const { secretKey, account: address } = await test.createAccount(0n)
      await test.request('hardhat_setBalance', [address, '0x0'])
      const account = await Account.open(chain, toHex(secretKey))
      const transfer = { to: address, data: '0x', what: 'nothing' }
      await assert.rejects(account.send(transfer), { code: 'PAYMENT_INSUFFICIENT' })
    })

    it('works with a signer that has no provider', async () => {
      const { secretKey, account: address } = await test.createAccount(0n)
      const account = await Account.open(chain, new Wallet(toHex(secretKey)))
      assert.equal(account.address, address)
      const receipt = await account.send({ to: address, data: '0x', what: 'nothing' })
      assert.equal(receipt.status, 1)
    })
  })
})

function word(value: bigint | number): string {
  return BigInt(value).toString(16).padStart(64, '0')
}
