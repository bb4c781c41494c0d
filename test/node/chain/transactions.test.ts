import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import { errorCode, type Hex, MainframeError, mainframeTokenAbi, toHex } from '@mainframe/protocol'
import { Interface, Transaction, toQuantity, Wallet } from 'ethers'
import { callView, channelsContract, describeRevert } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { type GasCost, TransactionSender } from '../../../node/src/chain/transactions.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { MFT, POLL_MS, senderOf, until } from '../chain-support.ts'
import { type FaultyRpc, startFaultyRpc } from './faulty-rpc.ts'

const token = new Interface(mainframeTokenAbi)
const NOBODY: Hex = `0x${'ee'.repeat(20)}`

let chain: TestChain
let faulty: FaultyRpc

before(async () => {
  chain = await startChain()
  faulty = await startFaultyRpc(chain.rpcUrl)
})
afterEach(async () => {
  faulty.intercept = (_, forward) => forward()
  await chain.request('evm_setAutomine', [true])
})
after(async () => {
  await faulty.stop()
  await chain.stop()
})

function transfer(to: Hex, base: bigint) {
  const data = token.encodeFunctionData('transfer', [to, base]) as Hex
  return { to: chain.deployment.token, data, what: 'transfer' }
}

async function balanceOf(account: Hex): Promise<bigint> {
  const rpc = new Rpc({ url: chain.rpcUrl })
  const to = chain.deployment.token
  const [balance] = await callView(rpc, {
    to,
    contract: token,
    method: 'balanceOf',
    args: [account],
  })
  return balance
}

const parse = ([signed]: readonly unknown[]) => Transaction.from(String(signed))

/** Waits until so many transactions were seen in the pool, replaced ones among them. */
async function pending(count: number): Promise<void> {
  const hashes = new Set<Hex>()
  await until(async () => {
    const block = await chain.request<{ transactions: Hex[] }>('eth_getBlockByNumber', [
      'pending',
      false,
    ])
    for (const hash of block.transactions) hashes.add(hash)
    return hashes.size >= count
  })
}

describe('sending transactions', () => {
  it('names the error of the contract, and is not held up by it', async () => {
    const { account, secretKey } = await chain.createAccount(10n)
    const sender = senderOf(chain, secretKey)
    const before = await balanceOf(NOBODY)
    const [tooMuch, fine] = await Promise.allSettled([
      sender.send(transfer(NOBODY, 11n)),
      sender.send(transfer(NOBODY, 10n)),
    ])
    assert.equal(tooMuch.status, 'rejected')
    assert.equal(errorCode(tooMuch.reason), 'CHAIN_REJECTED')
    const expected = 'transfer reverted: ERC20InsufficientBalance('
    assert.ok(tooMuch.reason.message.startsWith(expected), tooMuch.reason.message)
    assert.ok(tooMuch.reason.message.toLowerCase().includes(account))
    assert.equal(tooMuch.reason.details.reason, 'ERC20InsufficientBalance')
    assert.equal(fine.status, 'fulfilled')
    assert.equal(await balanceOf(NOBODY), before + 10n)
  })

  it('names the error of a transaction that reverts only when it is mined', async () => {
    const { secretKey } = await chain.createAccount(10n)
    const sender = senderOf(chain, secretKey, faulty.url)
    // what a race looks like: fine when it was estimated, no more when it is mined
    faulty.intercept = ({ method }, forward) =>
      method === 'eth_estimateGas' ? { result: '0x20000' } : forward()
    await chain.request('evm_setAutomine', [false])
    const ended = assert.rejects(sender.send(transfer(NOBODY, 11n)), (error) => {
      assert.equal(errorCode(error), 'CHAIN_REJECTED')
      assert.match(String(error), /transfer reverted: ERC20InsufficientBalance\(/)
      return true
    })
    await pending(1)
    await chain.mine()
    await ended
  })

  it('tells what each transaction cost, also one that reverts when it is mined', async () => {
    const { account, secretKey } = await chain.createAccount(10n)
    const costs: GasCost[] = []
    const sender = new TransactionSender({
      rpc: new Rpc({ url: faulty.url }),
      chainId: chain.deployment.chainId,
      secretKey,
      pollMs: POLL_MS,
      onMined: (cost) => costs.push(cost),
    })
    const coin = async () => BigInt(await chain.request('eth_getBalance', [account, 'latest']))
    const before = await coin()
    await sender.send(transfer(NOBODY, 10n))
    faulty.intercept = ({ method }, forward) =>
      method === 'eth_estimateGas' ? { result: '0x20000' } : forward()
    await chain.request('evm_setAutomine', [false])
    const ended = assert.rejects(sender.send(transfer(NOBODY, 1n)))
    await pending(1)
    await chain.mine()
    await ended
    const paidBase = costs.reduce((sum, { costBase }) => sum + costBase, 0n)
    assert.equal(before - (await coin()), paidBase)
    assert.ok(costs.every(({ blockNumber, costBase }) => blockNumber > 0 && costBase > 0n))
    assert.equal(costs.length, 2)
  })

  it('says what is missing to an account without coin', async () => {
    const stranger = new Uint8Array(32).fill(7)
    await assert.rejects(senderOf(chain, stranger).send(transfer(NOBODY, 0n)), (error) => {
      assert.equal(errorCode(error), 'CHAIN_REJECTED')
      return true
    })
  })

  it('sends many at once in their order, each nonce once', async () => {
    const { account, secretKey } = await chain.createAccount(100n)
    const sender = senderOf(chain, secretKey)
    const sends = Array.from({ length: 8 }, () => sender.send(transfer(NOBODY, 1n)))
    const blocks = (await Promise.all(sends)).map(({ blockNumber }) => blockNumber)
    assert.deepEqual(
      blocks,
      [...blocks].sort((a, b) => a - b),
    )
    assert.equal(await chain.request('eth_getTransactionCount', [account, 'latest']), '0x8')
  })

  it('knows its transaction again when the answer to sending it was lost', async () => {
    const { secretKey, account } = await chain.createAccount(1n)
    const sender = senderOf(chain, secretKey, faulty.url)
    let lost = 0
    faulty.intercept = async ({ method }, forward) => {
      const answer = await forward()
      return method === 'eth_sendRawTransaction' && lost++ === 0 ? 502 : answer
    }
    await sender.send(transfer(NOBODY, 1n))
    assert.equal(lost, 2)
    assert.equal(await chain.request('eth_getTransactionCount', [account, 'latest']), '0x1')
  })

  it('asks again for a nonce that a node which lags behind gave', async () => {
    const { secretKey } = await chain.createAccount(2n)
    const sender = senderOf(chain, secretKey, faulty.url)
    await sender.send(transfer(NOBODY, 1n))
    let answers = 0
    faulty.intercept = ({ method }, forward) =>
      method === 'eth_getTransactionCount' && answers++ < 2 ? { result: '0x0' } : forward()
    await sender.send(transfer(NOBODY, 1n))
    assert.ok(answers > 2)
  })

  it('replaces a transaction that nobody mines by one with a higher fee, and pays once', async () => {
    const { account, secretKey } = await chain.createAccount(5n)
    const rpc = new Rpc({ url: chain.rpcUrl })
    const { chainId } = chain.deployment
    const sender = new TransactionSender({
      rpc,
      chainId,
      secretKey,
      pollMs: 10,
      replaceAfterMs: 100,
    })
    await chain.request('evm_setAutomine', [false])
    const before = await balanceOf(NOBODY)
    const sent = sender.send(transfer(NOBODY, 5n))
    await pending(3)
    await chain.mine()
    await sent
    assert.equal(await balanceOf(NOBODY), before + 5n)
    assert.equal(await chain.request('eth_getTransactionCount', [account, 'latest']), '0x1')
  })

  it('gets past a transaction of an earlier run that pays too little to be mined', async () => {
    const { account, secretKey } = await chain.createAccount(5n)
    const { chainId } = chain.deployment
    await chain.request('evm_setAutomine', [false])
    const left = { to: NOBODY, gasLimit: 21_000n, maxFeePerGas: 1n, maxPriorityFeePerGas: 1n }
    const signed = await new Wallet(toHex(secretKey)).signTransaction({
      ...{ type: 2, chainId, nonce: 0 },
      ...left,
    })
    await chain.request('eth_sendRawTransaction', [signed])
    // Hardhat counts only what the next block takes; other nodes count the whole pool
    faulty.intercept = async ({ method, params }, forward) =>
      method === 'eth_getTransactionCount' && params[1] === 'pending'
        ? { result: '0x1' }
        : await forward()
    const rpc = new Rpc({ url: faulty.url })
    const options = { rpc, chainId, secretKey, pollMs: 10, replaceAfterMs: 100 }
    const before = await balanceOf(NOBODY)
    await chain.request('evm_setIntervalMining', [20])
    try {
      await new TransactionSender(options).send(transfer(NOBODY, 5n))
    } finally {
      await chain.request('evm_setIntervalMining', [0])
    }
    assert.equal(await balanceOf(NOBODY), before + 5n)
    assert.equal(await chain.request('eth_getTransactionCount', [account, 'latest']), '0x2')
  })

  it('raises the fee with the market where that asks for more than a replacement needs', async () => {
    const { secretKey } = await chain.createAccount(5n)
    const { chainId } = chain.deployment
    const rpc = new Rpc({ url: faulty.url })
    const sender = new TransactionSender({
      rpc,
      chainId,
      secretKey,
      pollMs: 10,
      replaceAfterMs: 60,
    })
    const offered: bigint[] = []
    faulty.intercept = ({ method, params }, forward) => {
      const { maxPriorityFeePerGas } = method === 'eth_sendRawTransaction' ? parse(params) : {}
      if (maxPriorityFeePerGas) offered.push(maxPriorityFeePerGas)
      if (method !== 'eth_maxPriorityFeePerGas') return forward()
      return { result: toQuantity(10n ** 9n * (offered.length === 0 ? 1n : 5n)) }
    }
    await chain.request('evm_setAutomine', [false])
    const sent = sender.send(transfer(NOBODY, 5n))
    await until(() => offered.length >= 3)
    await chain.mine()
    await sent
    const [first, second, third = 0n] = offered
    assert.deepEqual([first, second], [10n ** 9n, 5n * 10n ** 9n])
    assert.equal(third, (5n * 10n ** 9n * 130n) / 100n)
  })

  it('gives up one whose nonce another transaction of the account took, to be decided anew', async () => {
    const { account, secretKey } = await chain.createAccount(5n)
    const { chainId } = chain.deployment
    const rpc = new Rpc({ url: chain.rpcUrl })
    const sender = new TransactionSender({
      rpc,
      chainId,
      secretKey,
      pollMs: 10,
      replaceAfterMs: 80,
    })
    await chain.request('evm_setAutomine', [false])
    const sent = sender.send(transfer(NOBODY, 5n))
    const ended = assert.rejects(sent, (error) => {
      assert.ok(error instanceof MainframeError && error.retryable)
      assert.match(String(error), /took the place of transfer/)
      return true
    })
    await pending(1)
    const rival = { type: 2, chainId, nonce: 0, to: NOBODY, gasLimit: 21_000n }
    const fees = { maxFeePerGas: 10n ** 12n, maxPriorityFeePerGas: 10n ** 12n }
    const signed = await new Wallet(toHex(secretKey)).signTransaction({ ...rival, ...fees })
    await chain.request('eth_sendRawTransaction', [signed])
    await chain.mine()
    await ended
    assert.equal(await chain.request('eth_getTransactionCount', [account, 'latest']), '0x1')
    await chain.request('evm_setAutomine', [true])
    await sender.send(transfer(NOBODY, 5n))
  })

  it('is not settled before what a run that was killed left in the pool is mined', async () => {
    const { secretKey } = await chain.createAccount(5n)
    const stop = new AbortController()
    const { chainId } = chain.deployment
    const rpc = new Rpc({ url: chain.rpcUrl, signal: stop.signal })
    await chain.request('evm_setAutomine', [false])
    const killed = new TransactionSender({ rpc, chainId, secretKey, pollMs: POLL_MS })
    const lost = assert.rejects(killed.send(transfer(NOBODY, 5n)))
    await pending(1)
    stop.abort()
    await lost
    let isSettled = false
    const sender = senderOf(chain, secretKey)
    const settled = sender.settle().then(() => {
      isSettled = true
    })
    await new Promise((resolve) => setTimeout(resolve, 10 * POLL_MS))
    assert.equal(isSettled, false)
    await chain.mine()
    await settled
    await sender.settle() // nothing is under way
  })

  it('takes the gas that it is given, and asks nobody for an estimate', async () => {
    const { secretKey } = await chain.createAccount(5n)
    const asked: string[] = []
    faulty.intercept = ({ method }, forward) => {
      asked.push(method)
      return forward()
    }
    const sender = senderOf(chain, secretKey, faulty.url)
    const { transactionHash } = await sender.send({ ...transfer(NOBODY, 5n), gasLimit: 99_999n })
    const sent = await chain.request<{ gas: Hex }>('eth_getTransactionByHash', [transactionHash])
    assert.equal(Number(sent.gas), 99_999)
    assert.ok(!asked.includes('eth_estimateGas'), asked.join())
  })

  it('stops to wait when the relay stops', async () => {
    const { secretKey } = await chain.createAccount(5n)
    const stop = new AbortController()
    const rpc = new Rpc({ url: chain.rpcUrl, signal: stop.signal })
    const { chainId } = chain.deployment
    const sender = new TransactionSender({ rpc, chainId, secretKey, pollMs: POLL_MS })
    await chain.request('evm_setAutomine', [false])
    const ended = assert.rejects(
      sender.send(transfer(NOBODY, 5n)),
      (error) => errorCode(error) === 'NETWORK_CLOSED',
    )
    setTimeout(() => stop.abort(), 50)
    await ended
    await chain.mine()
  })
})

describe('errors of the contracts in words', () => {
  it('decodes our own, names what it does not know, and survives garbage', () => {
    const id = `0x${'ab'.repeat(32)}`
    const data = channelsContract.encodeErrorResult('ChannelsClosing', [id, 1234]) as Hex
    assert.equal(describeRevert(data), `ChannelsClosing(${id}, 1234)`)
    assert.equal(describeRevert('0x12345678'), 'unknown error 0x12345678')
    assert.match(describeRevert(data.slice(0, 20) as Hex) ?? '', /^unknown error/)
    assert.equal(describeRevert('0x'), undefined)
  })

  it('says when a contract is not the project’s', async () => {
    const rpc = new Rpc({ url: chain.rpcUrl })
    const call = { to: NOBODY, contract: channelsContract, method: 'slots', args: [[]] }
    await assert.rejects(callView(rpc, call), (error) => errorCode(error) === 'CHAIN_MISMATCH')
    const { token: wrong } = chain.deployment
    await assert.rejects(
      callView(rpc, { ...call, to: wrong, args: [[`0x${'00'.repeat(32)}`]] }),
      (error) => errorCode(error) === 'CHAIN_REJECTED',
    )
  })

  it('gives every account its own MFT', async () => {
    const { account } = await chain.createAccount(3n * MFT)
    assert.equal(await balanceOf(account), 3n * MFT)
  })
})
