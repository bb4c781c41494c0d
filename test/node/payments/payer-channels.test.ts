import assert from 'node:assert/strict'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  type Deployment,
  errorCode,
  fromHex,
  type Hex,
  type PayerChannel,
  type Quote,
  signDigest,
  toHex,
  voucherDigest,
} from '@mainframe/protocol'
import { channelsContract, fetchSlots, tokenContract } from '../../../node/src/chain/contracts.ts'
import type { ChainDirectory, RelayEntry } from '../../../node/src/chain/directory.ts'
import type { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { TransactionSender } from '../../../node/src/chain/transactions.ts'
import type { PayingMedium } from '../../../node/src/payments/media.ts'
import type { PayerLimits } from '../../../node/src/payments/payable.ts'
import { PayerChannels } from '../../../node/src/payments/payer-channels.ts'
import { openSignedLog, type SignedLog } from '../../../node/src/payments/signed-log.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import {
  createRelay,
  follow,
  MFT,
  newFolder,
  POLL_MS,
  type TestRelay,
  until,
} from '../chain-support.ts'
import {
  createPayer,
  DEPTH,
  exit,
  NOTICE_SECONDS,
  type Payer,
  startPayee,
  UNIT,
} from './support.ts'

function limitsOf({ token }: Deployment, amounts: Partial<PayingMedium> = {}): PayerLimits {
  const medium = {
    token,
    mostBaseUnitsPerUnit: UNIT,
    depositBase: MFT,
    maxDepositBase: 5n * MFT,
    lowWaterBase: MFT / 5n,
    maxDepositedBase: 1_000n * MFT,
  }
  return {
    media: [{ ...medium, ...amounts }],
    noticeSeconds: NOTICE_SECONDS,
    maxNoticeSeconds: 10 * NOTICE_SECONDS,
  }
}

/** Of blocks beside those of transactions. */
const BLOCK_MS = 40

/** A relay that pays, as a process would have it. */
interface Paying {
  payer: Payer
  folder: string
  directory: ChainDirectory
  follower: ChainFollower
  signed: SignedLog
  channels: PayerChannels
  failures: unknown[]
  /** Epochs that were left. */
  left: number[]
}

let chain: TestChain
let relays: TestRelay[]
const running: Paying[] = []

before(async () => {
  chain = await startChain()
  relays = []
  for (let i = 0; i < 4; i++) relays.push(await createRelay(chain, { mft: 0n }))
  await chain.passTime(2)
  // deposits are waited for until they are confirmed
  await chain.request('evm_setIntervalMining', [BLOCK_MS])
})
afterEach(async () => {
  for (const paying of running.splice(0)) await stop(paying)
})
after(async () => {
  await chain.stop()
})

interface Before {
  folder?: string
  maxDepositedBase?: bigint
}

async function start(payer: Payer, before: Before = {}): Promise<Paying> {
  const { folder: data = await newFolder(), ...limits } = before
  const { deployment } = chain
  const { directory, follower } = follow(chain, payer.account, { confirmations: DEPTH })
  await follower.start()
  const signed = await openSignedLog(join(data, 'signed.log'))
  const failures: unknown[] = []
  const left: number[] = []
  const channels = new PayerChannels({
    rpc: new Rpc({ url: chain.rpcUrl }),
    deployment,
    directory,
    sender: payer.sender,
    hotSecret: payer.secretKey,
    signed,
    limits: limitsOf(deployment, limits),
    confirmTimeoutMs: 20_000,
    onLeft: (_, epoch) => left.push(epoch),
    onFailure: (error) => failures.push(error),
  })
  const paying = { payer, folder: data, directory, follower, signed, channels, failures, left }
  running.push(paying)
  return paying
}

async function stop({ channels, follower, signed }: Paying): Promise<void> {
  await channels.stop()
  await follower.stop()
  await signed.close()
}

function peerOf({ directory }: Paying, index = 0): RelayEntry {
  const entry = directory.relays.get(relays[index]?.node.nodeId ?? '0x')
  assert.ok(entry)
  return entry
}

function quoteOf(peer: RelayEntry, changes: Partial<Quote> = {}): Quote {
  return {
    nodeId: peer.nodeId,
    payee: fromHex(peer.row.payee),
    token: fromHex(chain.deployment.token),
    routeUnits: 1_000,
    holdUnitsPerHour: 50,
    minDepositBase: MFT / 2n,
    noticeSeconds: 3_600,
    maxWindowUnits: 16_000,
    confirmations: DEPTH,
    baseUnitsPerUnit: UNIT,
    expiresAtSeconds: Math.floor(Date.now() / 1000) + 600,
    ...changes,
  }
}

/** The same channels in a process whose chain falls silent for good. */
function killed({ payer, directory, signed }: Paying, signal: AbortSignal): PayerChannels {
  const { deployment, rpcUrl: url } = chain
  const rpc = new Rpc({ url, signal })
  const { chainId } = deployment
  const { secretKey } = payer
  return new PayerChannels({
    rpc,
    deployment,
    directory,
    sender: new TransactionSender({ rpc, chainId, secretKey, pollMs: POLL_MS }),
    hotSecret: secretKey,
    signed,
    limits: limitsOf(deployment),
    onFailure: () => {},
  })
}

async function inPool({ account }: Payer): Promise<number> {
  return Number(await chain.request('eth_getTransactionCount', [account, 'pending']))
}

/** As mined, whatever the view says. */
async function depositedOf({ channelId }: PayerChannel): Promise<bigint> {
  const { channels } = chain.deployment
  const [slot] = await fetchSlots(new Rpc({ url: chain.rpcUrl }), channels, [toHex(channelId)])
  return slot?.deposit ?? 0n
}

async function nonceOf({ account }: Payer): Promise<number> {
  return Number(await chain.request('eth_getTransactionCount', [account, 'latest']))
}

describe('a channel to another relay', () => {
  it('is not opened on a quote that contradicts the chain or goes past our limits', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const faults: [Partial<Quote>, RegExp][] = [
      [{ nodeId: new Uint8Array(32) }, /it is of another relay/],
      [{ payee: fromHex(paying.payer.account) }, /its payee is not the registered one/],
      [{ token: new Uint8Array(20) }, /a token that payWith does not name/],
      [{ baseUnitsPerUnit: UNIT + 1n }, /its unit is not/],
      [{ baseUnitsPerUnit: 1n }, /its unit is not/],
      [{ expiresAtSeconds: 1 }, /it has expired/],
      [{ routeUnits: 1_001 }, /its route price is above the board/],
      [{ holdUnitsPerHour: 51 }, /its hold price is above the board/],
      [{ minDepositBase: 5n * MFT + 1n }, /a larger deposit than we make/],
      [{ noticeSeconds: 10 * NOTICE_SECONDS + 1 }, /a longer notice than we give/],
    ]
    for (const [changes, expected] of faults) {
      await assert.rejects(paying.channels.ensure(peer, quoteOf(peer, changes)), (error) => {
        assert.equal(errorCode(error), 'PAYMENT_UNVERIFIED')
        assert.match(String(error), expected)
        return true
      })
    }
    const gone = { ...peer, row: { ...peer.row, nodeId: toHex(new Uint8Array(32)) } }
    await assert.rejects(paying.channels.ensure(gone, quoteOf(peer)), /not registered any more/)
    assert.equal(await nonceOf(paying.payer), 0)
  })

  it('is not opened without the money, and one that can be paid is not held up by it', async () => {
    const paying = await start(await createPayer(chain, 3n * MFT))
    const peers = [0, 1, 2].map((index) => peerOf(paying, index))
    const deposits = [2n * MFT, 2n * MFT, MFT]
    const ends = await Promise.allSettled(
      peers.map((peer, i) =>
        paying.channels.ensure(peer, quoteOf(peer, { minDepositBase: deposits[i] ?? 0n })),
      ),
    )
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    const reason = ends[1]?.status === 'rejected' ? ends[1].reason : undefined
    assert.equal(errorCode(reason), 'PAYMENT_INSUFFICIENT')
    assert.match(String(reason), /has 1 MFT left for a channel that needs 2 MFT$/)
  })

  it('refuses a window too small to prepay a unit, before it deposits anything', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    await assert.rejects(
      paying.channels.ensure(peer, quoteOf(peer, { maxWindowUnits: 1 })),
      (error) => errorCode(error) === 'PAYMENT_INSUFFICIENT',
    )
    assert.equal(await nonceOf(paying.payer), 0)
  })

  it('is opened by one transaction, once, with deposit and window as the quote allows', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const quote = quoteOf(peer)
    const both = [paying.channels.ensure(peer, quote), paying.channels.ensure(peer, quote)]
    assert.ok(paying.channels.isFunding)
    const [one = assert.fail(), other] = await Promise.all(both)
    assert.ok(!paying.channels.isFunding)
    assert.equal(one, other)
    assert.equal(await nonceOf(paying.payer), 1)
    assert.equal(one.depositBase, MFT)
    assert.equal(one.epoch, 1)
    assert.equal(one.signedBase, 0n)
    // 15/16 of the relay's window, which is below a tenth of the deposit
    assert.equal(one.windowUnits, 15_000)
    const wide = await paying.channels.ensure(peer, quoteOf(peer, { maxWindowUnits: 10 ** 12 }))
    assert.equal(wide.windowUnits, 10 ** 8)
    assert.equal(await nonceOf(paying.payer), 1)
  })

  it('is opened with several others by one deposit, and from the vault where it suffices', async () => {
    const paying = await start(await createPayer(chain))
    const ensureAll = (indexes: number[]) =>
      Promise.all(
        indexes.map((index) => {
          const peer = peerOf(paying, index)
          return paying.channels.ensure(peer, quoteOf(peer))
        }),
      )
    const channels = await ensureAll([0, 1, 2])
    assert.equal(new Set(channels.map(({ channelId }) => toHex(channelId))).size, 3)
    // approve, deposit, openFromVault
    assert.equal(await nonceOf(paying.payer), 3)
    const { sender } = paying.payer
    const { deployment } = chain
    const args = [deployment.token, 2n * MFT]
    const data = channelsContract.encodeFunctionData('deposit', args) as Hex
    await sender.send({ to: deployment.channels, data, what: 'deposit' })
    await ensureAll([3])
    assert.equal(await nonceOf(paying.payer), 5)
    const balance = tokenContract.encodeFunctionData('balanceOf', [paying.payer.account])
    const left = await chain.request<Hex>('eth_call', [
      { to: deployment.token, data: balance },
      'latest',
    ])
    assert.equal(BigInt(left), 995n * MFT)
  })

  it('that cannot be opened takes no other of its batch with it', async () => {
    const paying = await start(await createPayer(chain))
    const [first, second] = [peerOf(paying, 0), peerOf(paying, 1)]
    await paying.channels.ensure(first, quoteOf(first))
    // closing, which the view does not know yet: the contract refuses to add to it
    await chain.request('evm_setIntervalMining', [0])
    await exit(chain, paying.payer, { payee: first.row.payee, method: 'requestClose' })
    const ends = Promise.allSettled([
      paying.channels.topUp(first, quoteOf(first, { minDepositBase: 2n * MFT })),
      paying.channels.ensure(second, quoteOf(second)),
    ])
    await until(async () => (await nonceOf(paying.payer)) >= 3)
    await chain.request('evm_setIntervalMining', [BLOCK_MS])
    const [closing, fine] = await ends
    assert.equal(fine.status, 'fulfilled')
    assert.equal(closing.status, 'rejected')
    assert.match(String(closing.reason), /ChannelsClosing/)
  })

  it('says so when the disk does not take what is signed on it', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer))
    await paying.signed.close()
    await assert.rejects(channel.record(UNIT), (error) => errorCode(error) === 'STORE_FAILED')
    assert.deepEqual(paying.failures.map(errorCode), ['STORE_FAILED'])
  })

  it('is found again after a restart, with all that was signed on it', async () => {
    const payer = await createPayer(chain)
    const first = await start(payer)
    const peer = peerOf(first)
    const channel = await first.channels.ensure(peer, quoteOf(peer))
    await channel.record(5_000n * UNIT)
    await channel.record(9_000n * UNIT)
    await stop(first)
    running.splice(0)
    const second = await start(payer, first)
    const again = await second.channels.ensure(peer, quoteOf(peer))
    assert.equal(again.signedBase, 9_000n * UNIT)
    assert.deepEqual(again.channelId, channel.channelId)
    assert.equal(await nonceOf(payer), 1)
  })

  it('is waited for, not paid twice, when a crash came between deposit and confirmation', async () => {
    const payer = await createPayer(chain)
    await chain.request('evm_setIntervalMining', [0])
    const first = await start(payer)
    const peer = peerOf(first)
    const interrupted = first.channels.ensure(peer, quoteOf(peer))
    const ended = assert.rejects(interrupted, (error) => errorCode(error) === 'CHAIN_UNREACHABLE')
    while ((await nonceOf(payer)) === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    await stop(first)
    await ended
    running.splice(0)
    const second = await start(payer, first)
    const found = second.channels.ensure(peer, quoteOf(peer))
    await new Promise((resolve) => setTimeout(resolve, 150))
    await chain.request('evm_setIntervalMining', [BLOCK_MS])
    assert.equal((await found).depositBase, MFT)
    assert.equal(await nonceOf(payer), 1)
  })

  it('begins anew in its next epoch, whatever was signed in the last', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer))
    await channel.record(9_000n * UNIT)
    const { payer } = paying
    await exit(chain, payer, { payee: peer.row.payee, method: 'requestClose' })
    await chain.passTime(NOTICE_SECONDS)
    await exit(chain, payer, { payee: peer.row.payee, method: 'finalize' })
    await untilState(paying, 'closed')
    // chain time is ahead of ours by the notice; board and quote do not mind
    const next = await paying.channels.ensure(peer, quoteOf(peer))
    assert.equal(next.epoch, 2)
    assert.equal(next.signedBase, 0n)
    assert.notEqual(next, channel)
  })

  it('is topped up when a window no longer fits, and not before', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer))
    assert.equal(await paying.channels.topUp(peer, quoteOf(peer)), channel)
    assert.equal(await nonceOf(paying.payer), 1)
    channel.signedBase = MFT - 10n * UNIT
    await channel.record(channel.signedBase)
    const [topped, same] = await Promise.all([
      paying.channels.topUp(peer, quoteOf(peer)),
      paying.channels.topUp(peer, quoteOf(peer)),
    ])
    assert.equal(topped, channel)
    assert.equal(same, channel)
    assert.equal(channel.depositBase, 2n * MFT)
    assert.equal(channel.signedBase, MFT - 10n * UNIT)
    const raised = await paying.channels.topUp(peer, quoteOf(peer, { minDepositBase: 4n * MFT }))
    assert.equal(raised.depositBase, 4n * MFT)
  })

  it('that is closing is kept when its payee is wanted again', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer))
    await channel.record(9_000n * UNIT)
    await exit(chain, paying.payer, { payee: peer.row.payee, method: 'requestClose' })
    await untilState(paying, 'closing')
    const again = await paying.channels.ensure(peer, quoteOf(peer))
    assert.equal(again, channel)
    assert.equal(await nonceOf(paying.payer), 3)
    assert.ok([...paying.directory.channels.values()].every(({ state }) => state === 'open'))
  })

  it('that is topped up is so once, though a killed run did it before the view knew', async () => {
    const payer = await createPayer(chain)
    const first = await start(payer)
    const peer = peerOf(first)
    const channel = await first.channels.ensure(peer, quoteOf(peer))
    await channel.record(MFT - UNIT)
    await stop(first)
    running.splice(0)
    await chain.request('evm_setIntervalMining', [0])
    const second = await start(payer, first)
    await second.channels.ensure(peer, quoteOf(peer))
    const interrupted = second.channels.topUp(peer, quoteOf(peer))
    const ended = assert.rejects(interrupted, (error) => errorCode(error) === 'CHAIN_UNREACHABLE')
    await until(async () => (await depositedOf(channel)) === 2n * MFT)
    const sent = await nonceOf(payer)
    await stop(second)
    await ended
    running.splice(0)
    const third = await start(payer, first)
    const topped = third.channels.topUp(peer, quoteOf(peer))
    await chain.request('evm_setIntervalMining', [BLOCK_MS])
    assert.equal((await topped).depositBase, 2n * MFT)
    assert.equal(await nonceOf(payer), sent)
  })

  it('that its payee refuses ends, and costs no gas for taking that back', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer))
    paying.channels.leave(channel)
    assert.deepEqual(paying.left, [1])
    await exit(chain, paying.payer, { payee: peer.row.payee, method: 'requestClose' })
    await untilState(paying, 'closing')
    const sent = await nonceOf(paying.payer)
    await assert.rejects(paying.channels.ensure(peer, quoteOf(peer)), /takes no more vouchers/)
    assert.equal(await nonceOf(paying.payer), sent)
  })

  it('that was kept is not left when its payee has not seen that yet', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    await paying.channels.ensure(peer, quoteOf(peer))
    await exit(chain, paying.payer, { payee: peer.row.payee, method: 'requestClose' })
    await untilState(paying, 'closing')
    paying.channels.leave(await paying.channels.ensure(peer, quoteOf(peer)))
    assert.deepEqual(paying.left, [])
  })

  it('is topped up below the low-water mark, long before a window no longer fits', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const channel = await paying.channels.ensure(peer, quoteOf(peer))
    channel.signedBase = (4n * MFT) / 5n
    assert.ok(!paying.channels.isLow(channel))
    assert.equal((await paying.channels.topUp(peer, quoteOf(peer))).depositBase, MFT)
    channel.signedBase += UNIT
    assert.ok(paying.channels.isLow(channel))
    assert.equal((await paying.channels.topUp(peer, quoteOf(peer))).depositBase, 2n * MFT)
  })

  it('is not opened when all channels together would hold more than they may', async () => {
    const paying = await start(await createPayer(chain), { maxDepositedBase: 3n * MFT })
    const peers = [0, 1, 2, 3].map((index) => peerOf(paying, index))
    const ends = await Promise.allSettled(
      peers.map((peer) => paying.channels.ensure(peer, quoteOf(peer))),
    )
    assert.deepEqual(
      ends.map(({ status }) => status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'rejected'],
    )
    const [last] = ends.slice(3) as PromiseRejectedResult[]
    assert.equal(errorCode(last?.reason), 'PAYMENT_INSUFFICIENT')
    assert.match(String(last?.reason), /needs 1 MFT, and maxDepositedUnits leaves room for 0/)
    const [first = assert.fail()] = peers
    const more = paying.channels.topUp(first, quoteOf(first, { minDepositBase: 2n * MFT }))
    await assert.rejects(more, (error) => errorCode(error) === 'PAYMENT_INSUFFICIENT')
  })

  it('is paid for once when a crash left its deposit in the pool', async () => {
    const payer = await createPayer(chain)
    await chain.request('evm_setIntervalMining', [0])
    await chain.request('evm_setAutomine', [false])
    try {
      const first = await start(payer)
      const peer = peerOf(first)
      const stopped = new AbortController()
      const lost = killed(first, stopped.signal)
        .ensure(peer, quoteOf(peer))
        .catch(() => {})
      await until(async () => (await inPool(payer)) === 1)
      stopped.abort()
      await lost
      const found = first.channels.ensure(peer, quoteOf(peer))
      await new Promise((resolve) => setTimeout(resolve, 100))
      await chain.request('evm_setIntervalMining', [BLOCK_MS])
      assert.equal((await found).depositBase, MFT)
      assert.equal(await nonceOf(payer), 1)
    } finally {
      await chain.request('evm_setAutomine', [true])
      await chain.request('evm_setIntervalMining', [BLOCK_MS])
    }
  })

  it('gives vouchers that the payee takes for credit', async () => {
    const paying = await start(await createPayer(chain))
    const peer = peerOf(paying)
    const { keys } = relays[0] ?? assert.fail()
    const folder = await newFolder()
    const payee = await startPayee(chain, {
      account: keys.hotAccount,
      secretKey: keys.hotSecret,
      folder,
    })
    const quote = quoteOf(peer, { noticeSeconds: NOTICE_SECONDS, minDepositBase: MFT })
    const channel = await paying.channels.ensure(peer, quote)
    while (!payee.directory.channels.has(toHex(channel.channelId))) {
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    const { outcome, account } = await payee.ledger.offer(voucherOf(channel, 700), {})
    assert.equal(outcome, 'accepted')
    assert.equal(account?.durableUnits, 700)
    await payee.stop()
    await rm(folder, { recursive: true })
  })
})

function voucherOf(channel: PayerChannel, units: number) {
  const { terms, channelId, epoch, domainSeparator, signerSecretKey } = channel
  const amount = BigInt(units) * UNIT
  const digest = voucherDigest(domainSeparator, { channelId, epoch, amount })
  const signature = signDigest(digest, signerSecretKey)
  const { payer, token, signer, noticeSeconds } = terms
  return { payer, token, signer, noticeSeconds, epoch, amount, signature }
}

async function untilState({ directory }: Paying, state: string): Promise<void> {
  while (![...directory.channels.values()].some((row) => row.state === state)) {
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
