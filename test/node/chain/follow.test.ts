import assert from 'node:assert/strict'
import { after, afterEach, before, describe, it } from 'node:test'
import {
  epochOf,
  errorCode,
  fromHex,
  type Hex,
  relayAddress,
  toHex,
  utf8,
} from '@mainframe/protocol'
import { AbiCoder, toQuantity } from 'ethers'
import { type ChainEvidence, readChain } from '../../../node/src/accounts/evidence.ts'
import {
  channelsContract,
  registryContract,
  TRANSFER_AND_CALL,
  tokenContract,
} from '../../../node/src/chain/contracts.ts'
import type { ChainFollower } from '../../../node/src/chain/follow.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { setPrices } from '../../../node/src/operator/prices.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { createRelay, follow, MFT, newKeys, POLL_MS, until } from '../chain-support.ts'
import { type Answer, type FaultyRpc, startFaultyRpc } from './faulty-rpc.ts'

const DEPTH = 2
const NOBODY: Hex = `0x${'ee'.repeat(20)}`

let chain: TestChain
let faulty: FaultyRpc
const running: ChainFollower[] = []

before(async () => {
  chain = await startChain()
  faulty = await startFaultyRpc(chain.rpcUrl)
})
afterEach(async () => {
  faulty.intercept = (_, forward) => forward()
  for (const follower of running.splice(0)) await follower.stop()
})
after(async () => {
  await faulty.stop()
  await chain.stop()
})

async function started(options: Parameters<typeof follow>[2] = {}, account = NOBODY) {
  const { directory, follower } = follow(chain, account, { confirmations: DEPTH, ...options })
  running.push(follower)
  await follower.start()
  return directory
}

const viaFaulty = () => ({ rpc: new Rpc({ url: faulty.url, backOffMs: [5, 10, 20] }) })
const height = async () => Number(await chain.request('eth_blockNumber'))

describe('following the chain', () => {
  it('refuses another chain than that of the deployment, and one without its contracts', async () => {
    const { deployment } = chain
    const other = follow(chain, NOBODY, { deployment: { ...deployment, chainId: 1 } })
    await assert.rejects(other.follower.start(), (error) => {
      assert.equal(errorCode(error), 'CHAIN_MISMATCH')
      assert.match(String(error), /The chain is 31337, the contracts are on chain 1$/)
      return true
    })
    const none = follow(chain, NOBODY, { deployment: { ...deployment, board: NOBODY } })
    await assert.rejects(none.follower.start(), /no contract at 0xee/)
  })

  it('takes no block for final that has fewer than k on it', async () => {
    const directory = await started()
    const { node } = await createRelay(chain)
    const needed = node.registeredBlock + 1 + DEPTH
    const reached = (await height()) - DEPTH
    await until(() => directory.confirmedBlock === reached)
    while ((await height()) < needed) {
      assert.equal(directory.relays.has(node.nodeId), false)
      await chain.mine()
      const expected = (await height()) - DEPTH
      await until(() => directory.confirmedBlock === expected)
    }
    await until(() => directory.relays.has(node.nodeId))
    assert.equal(directory.confirmedBlock, node.registeredBlock + 1)
  })

  it('lists a relay with the address that the block after its registration gave it', async () => {
    const { node, keys } = await createRelay(chain)
    await chain.passTime(2)
    await chain.mine(DEPTH)
    const directory = await started()
    const entry = directory.relays.get(node.nodeId)
    assert.ok(entry)
    const seed = await chain.request<{ hash: Hex }>('eth_getBlockByNumber', [
      `0x${(node.registeredBlock + 1).toString(16)}`,
      false,
    ])
    assert.deepEqual(entry.address, relayAddress(fromHex(node.nodeId), fromHex(seed.hash)))
    assert.deepEqual(entry.nodeKey, keys.nodeKey)
    assert.deepEqual(entry.sealKey, keys.sealKey.publicKey)
    assert.deepEqual(entry.multiaddrs, [
      '/ip4/127.0.0.1/tcp/4001',
      '/dns4/relay.example/tcp/443/wss',
    ])
    assert.deepEqual(entry.prices, { routeUnits: 1_000, holdUnitsPerHour: 50 })
    assert.equal(entry.peerKey, toHex(keys.nodeKey))
    assert.equal(directory.byPeerKey(toHex(keys.nodeKey)), entry)
  })

  it('has a new price from the block on in whose time it is in force', async () => {
    const { node, sender } = await createRelay(chain)
    await chain.passTime(2)
    await chain.mine(DEPTH)
    const directory = await started()
    const prices = { routeUnits: 2_000, holdUnitsPerHour: 40 }
    const { deployment } = chain
    await setPrices({ rpc: new Rpc({ url: chain.rpcUrl }), deployment, sender, node, prices })
    // the cut holds at once, the rise after the board's delay of a second
    await chain.mine(DEPTH)
    await until(() => directory.relays.get(node.nodeId)?.prices?.holdUnitsPerHour === 40)
    await chain.passTime(2)
    await chain.mine(DEPTH)
    await until(() => directory.relays.get(node.nodeId)?.prices?.routeUnits === 2_000)
  })

  it('does not list a node whose key did not agree to be registered', async () => {
    const [operator, keys] = [await chain.createAccount(2_000n * MFT), await newKeys()]
    const record = {
      manager: operator.account,
      payee: operator.account,
      sealKey: toHex(keys.sealKey.publicKey),
      multiaddrs: toHex(utf8('/ip4/127.0.0.1/tcp/4001')),
      metadata: '0x',
    }
    const type =
      'tuple(address manager,address payee,bytes32 sealKey,bytes multiaddrs,bytes metadata)'
    const forged = AbiCoder.defaultAbiCoder().encode(
      ['bytes32', type, 'bytes'],
      [keys.nodeKey, record, new Uint8Array(64).fill(1)],
    )
    const { deployment } = chain
    const data = tokenContract.encodeFunctionData(TRANSFER_AND_CALL, [
      deployment.registry,
      1_000n * MFT,
      forged,
    ]) as Hex
    await chain.request('hardhat_impersonateAccount', [operator.account])
    await chain.transact(operator.account, deployment.token, data)
    await chain.mine(DEPTH + 1)
    const directory = await started()
    assert.equal(directory.byPeerKey(toHex(keys.nodeKey)), undefined)
  })

  it('drops a relay that begins to unstake', async () => {
    const { node, keys } = await createRelay(chain)
    await chain.mine(DEPTH)
    const directory = await started()
    assert.ok(directory.relays.has(node.nodeId))
    await chain.request('hardhat_impersonateAccount', [node.operator])
    const data = registryContract.encodeFunctionData('beginUnstake', [node.nodeKey]) as Hex
    await chain.transact(node.operator, chain.deployment.registry, data)
    await chain.mine(DEPTH)
    await until(() => !directory.relays.has(node.nodeId))
    assert.equal(directory.byPeerKey(toHex(keys.nodeKey)), undefined)
  })

  it('counts accounts with an open channel, not channels and not payees of relays', async () => {
    const relays = [await createRelay(chain), await createRelay(chain)]
    const users = [await chain.createAccount(100n * MFT), await chain.createAccount(100n * MFT)]
    const { deployment } = chain
    const directory = await started()
    const before = directory.users
    const payers = [...users.map(({ account }) => account), relays[1]?.keys.hotAccount ?? NOBODY]
    for (const payer of payers) {
      await chain.request('hardhat_impersonateAccount', [payer])
      for (const signer of [payer, NOBODY]) {
        const terms = AbiCoder.defaultAbiCoder().encode(
          ['address', 'address', 'uint32'],
          [relays[0]?.keys.hotAccount, signer, 3600],
        )
        const args = [deployment.channels, 10n * MFT, terms]
        const data = tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args) as Hex
        await chain.transact(payer, deployment.token, data)
      }
    }
    await chain.mine(DEPTH + 1)
    await until(() => directory.users === before + 2)
    const [leaving] = payers
    const exit = async (method: 'requestClose' | 'cancelClose', signer?: Hex) => {
      const terms = [relays[0]?.keys.hotAccount, deployment.token, signer ?? leaving, 3600]
      const data = channelsContract.encodeFunctionData(method, [terms]) as Hex
      await chain.transact(leaving ?? NOBODY, deployment.channels, data)
      await chain.mine(DEPTH + 1)
    }
    await exit('requestClose')
    await exit('requestClose', NOBODY)
    await until(() => directory.users === before + 1)
    await exit('cancelClose')
    await until(() => directory.users === before + 2)
    assert.equal(directory.channels.size, 0)
    const payee = await started({}, relays[0]?.keys.hotAccount)
    assert.equal(payee.channels.size, 6)
  })

  it('counts an epoch by its first block, whenever it is looked at', async () => {
    const epochSeconds = 100_000
    const live = await started({ epochSeconds })
    const first = live.epoch
    assert.ok(first)
    await createRelay(chain)
    await chain.mine(DEPTH + 1)
    const late = await started({ epochSeconds })
    assert.deepEqual([late.epoch, live.epoch], [first, first])
    const relays = late.relays.size
    assert.ok(relays > first.relays, 'more than at the epoch’s block')

    await chain.passTime(epochSeconds)
    await createRelay(chain)
    await chain.mine(DEPTH + 1)
    await until(() => [live, late].every((each) => each.relays.size === relays + 1))
    const { block, ...counts } = live.epoch ?? assert.fail()
    assert.deepEqual(counts, { relays, users: live.users })
    const times = [block - 1, block].map(async (number) => {
      const header = await chain.request<{ timestamp: Hex }>('eth_getBlockByNumber', [
        toQuantity(number),
        false,
      ])
      return epochOf(Number(header.timestamp), epochSeconds)
    })
    const [before, after] = await Promise.all(times)
    assert.equal(after, (before ?? 0) + 1)
    assert.deepEqual((await started({ epochSeconds })).epoch, live.epoch)
    assert.deepEqual(late.epoch, live.epoch)
  })

  for (const withheld of ['first', 'last'] as const) {
    it(`notices that the ${withheld} event is withheld, and asks until it has all`, async () => {
      const { node } = await createRelay(chain)
      await chain.mine(DEPTH)
      let lies = 0
      faulty.intercept = async ({ method }, forward) => {
        const answer = await forward()
        if (method !== 'eth_getLogs' || lies === 3) return answer
        lies += 1
        const logs = (answer.result as { address: Hex }[]).slice()
        const registry = chain.deployment.registry.toLowerCase()
        const isRegistry = ({ address }: { address: Hex }) => address.toLowerCase() === registry
        const at =
          withheld === 'first' ? logs.findIndex(isRegistry) : logs.findLastIndex(isRegistry)
        logs.splice(at, 1)
        return { result: logs }
      }
      const troubles: string[] = []
      const onTrouble = (error: Error) => troubles.push(error.message)
      const directory = await started({ ...viaFaulty(), onTrouble })
      assert.ok(directory.relays.has(node.nodeId))
      assert.equal(troubles.length, 3)
      assert.match(troubles[0] ?? '', /left out, added or reordered events of the registry/)
    })
  }

  it('takes in no log of a block that it did not ask for', async () => {
    const { deployment } = chain
    const [payer, payee] = [await chain.createAccount(100n * MFT), await chain.createAccount(0n)]
    await chain.request('hardhat_impersonateAccount', [payer.account])
    const types = ['address', 'address', 'uint32']
    const terms = AbiCoder.defaultAbiCoder().encode(types, [payee.account, payer.account, 3600])
    const args = [deployment.channels, 10n * MFT, terms]
    const data = tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args) as Hex
    await chain.transact(payer.account, deployment.token, data)
    let lies = 0
    faulty.intercept = async ({ method, params }, forward) => {
      if (method !== 'eth_getLogs' || ++lies > 2) return await forward()
      const filter = { ...(params[0] as object), toBlock: 'latest' }
      return { result: await chain.request('eth_getLogs', [filter]) }
    }
    const troubles: string[] = []
    const onTrouble = ({ code }: { code: string }) => troubles.push(code)
    const directory = await started({ ...viaFaulty(), onTrouble }, payee.account)
    assert.equal(directory.channels.size, 0)
    assert.deepEqual(troubles, ['CHAIN_MISMATCH', 'CHAIN_MISMATCH'])
    await chain.mine(DEPTH)
    await until(() => directory.channels.size === 1)
  })

  it('waits for a chain that does not answer, and goes on where it was', async () => {
    faulty.intercept = () => 503
    const troubles: string[] = []
    const onTrouble = (error: Error) => troubles.push(error.message)
    const { directory, follower } = follow(chain, NOBODY, { ...viaFaulty(), onTrouble })
    running.push(follower)
    const start = follower.start()
    let silentSeconds = 0
    setTimeout(() => {
      silentSeconds = follower.age.silentSeconds
      faulty.intercept = (_, forward) => forward()
    }, 300)
    await start
    assert.ok(silentSeconds >= 0.25, `${silentSeconds} s`)
    await until(() => follower.age.silentSeconds < silentSeconds)
    const { node } = await createRelay(chain)
    let failures = 0
    faulty.intercept = (_, forward) => (failures++ % 3 === 0 ? forward() : 429)
    await chain.mine(DEPTH + 1)
    await until(() => directory.relays.has(node.nodeId))
    const { headSeconds } = follower.age
    await until(() => follower.age.headSeconds > headSeconds) // nobody mines any more
    assert.ok(failures > 3)
    assert.ok(!troubles.some((message) => message.includes(faulty.url)))
  })

  it('asks for less at a time when a node finds a range too long', async () => {
    const { node } = await createRelay(chain)
    await chain.mine(DEPTH)
    const lengths: number[] = []
    faulty.intercept = async ({ method, params }, forward): Promise<Answer> => {
      if (method !== 'eth_getLogs') return await forward()
      const { fromBlock, toBlock } = params[0] as { fromBlock: Hex; toBlock: Hex }
      lengths.push(Number(toBlock) - Number(fromBlock) + 1)
      const tooLong = Number(toBlock) - Number(fromBlock) >= 5
      return tooLong ? { error: { code: -32000, message: 'range too long' } } : await forward()
    }
    const directory = await started(viaFaulty())
    assert.ok(directory.relays.has(node.nodeId))
    assert.ok(lengths.some((length) => length > 5))
  })

  it('does not notice a reorg above k, and ends with one sentence at a deeper one', async () => {
    const failed = Promise.withResolvers<Error>()
    const directory = await started({ onFailed: failed.resolve })
    const snapshot = await chain.snapshot()
    await chain.mine(DEPTH)
    await chain.revert(snapshot)
    const again = await chain.snapshot()
    // another time gives the same heights other hashes
    await chain.passTime(5)
    await chain.mine(3)
    const confirmed = (await height()) - DEPTH
    await until(() => directory.confirmedBlock === confirmed)
    await chain.revert(again)
    await chain.passTime(50)
    await chain.mine(DEPTH + 3)
    const error = await failed.promise
    assert.equal(errorCode(error), 'CHAIN_MISMATCH')
    assert.match(error.message, /dropped block \d+, which was 2 deep: .*raise "confirmations"/)
  })

  it('stops at once, whether it waits for a block or for the chain', async () => {
    const idle = follow(chain, NOBODY, { pollMs: 60_000 })
    await idle.follower.start()
    await idle.follower.stop()
    faulty.intercept = () => 503
    const stop = new AbortController()
    const rpc = new Rpc({ url: faulty.url, signal: stop.signal })
    const { follower } = follow(chain, NOBODY, { rpc })
    const ended = assert.rejects(follower.start(), (error) => errorCode(error) === 'NETWORK_CLOSED')
    stop.abort()
    await follower.stop()
    await ended
  })

  it('keeps channels of its account through every change', async () => {
    const { deployment } = chain
    const payer = await chain.createAccount(100n * MFT)
    const payee = await chain.createAccount(0n)
    const directory = await started({ pollMs: POLL_MS }, payee.account)
    await chain.request('hardhat_impersonateAccount', [payer.account])
    await chain.request('hardhat_impersonateAccount', [payee.account])
    const send = (data: string, to: Hex = deployment.channels, from = payer.account) =>
      chain.transact(from, to, data as Hex)
    const open = () => {
      const data = AbiCoder.defaultAbiCoder().encode(
        ['address', 'address', 'uint32'],
        [payee.account, payer.account, 3600],
      )
      const args = [deployment.channels, 10n * MFT, data]
      return send(tokenContract.encodeFunctionData(TRANSFER_AND_CALL, args), deployment.token)
    }
    const seen = async () => {
      await chain.mine(DEPTH)
      const target = (await height()) - DEPTH
      await until(() => directory.confirmedBlock === target)
      const [row] = directory.channels.values()
      return row && { state: row.state, epoch: row.epoch, deposit: row.deposit / MFT }
    }
    const terms = [payee.account, deployment.token, payer.account, 3600]
    await open()
    assert.deepEqual(await seen(), { state: 'open', epoch: 1, deposit: 10n })
    await open()
    assert.deepEqual(await seen(), { state: 'open', epoch: 1, deposit: 20n })
    await send(channelsContract.encodeFunctionData('requestClose', [terms]))
    assert.equal((await seen())?.state, 'closing')
    await send(channelsContract.encodeFunctionData('cancelClose', [terms]))
    assert.equal((await seen())?.state, 'open')
    const rows = [
      [payer.account, payer.account, 0, toHex(new Uint8Array(32)), toHex(new Uint8Array(32))],
    ]
    const close = channelsContract.encodeFunctionData('closeByPayee', [
      deployment.token,
      3600,
      rows,
    ])
    await send(close, deployment.channels, payee.account)
    assert.equal((await seen())?.state, 'closed')
    await open()
    assert.deepEqual(await seen(), { state: 'open', epoch: 2, deposit: 10n })
  })
})

describe('reading the chain for an audit', () => {
  it('takes in nothing after the block that is asked for, and says what was there then', async () => {
    const { node, keys } = await createRelay(chain)
    const at = await height()
    await chain.fund(keys.hotAccount, 5n * MFT)
    const query = {
      ...viaFaulty(),
      deployment: chain.deployment,
      account: keys.hotAccount,
      nodeKey: toHex(keys.nodeKey),
      media: [chain.deployment.token, `0x${'99'.repeat(20)}` as const],
      confirmations: DEPTH,
      epochSeconds: 86_400,
      pollMs: POLL_MS,
    }
    const walletOf = ({ cash }: ChainEvidence) => cash.media[0]?.walletBase
    const then = await readChain(query, at)
    assert.deepEqual([then.block, then.directory.confirmedBlock], [at, at])
    assert.equal(then.cash.stakeBase, node.stake)
    assert.equal(then.cash.media.length, 1, 'without the token that is none')
    await chain.mine(DEPTH)
    const now = await readChain(query)
    assert.equal(now.block, (await height()) - DEPTH)
    assert.equal(walletOf(now), (walletOf(then) ?? 0n) + 5n * MFT)

    const early = readChain(query, (await height()) + 1)
    await assert.rejects(early, (error) => errorCode(error) === 'CHAIN_UNREACHABLE')
    // most nodes keep the state of some hundred blocks only
    faulty.intercept = ({ method, params }, forward) => {
      const isOld = method === 'eth_call' && Number(params[1]) <= at
      return isOld ? { error: { code: -32000, message: 'missing trie node' } } : forward()
    }
    const newest = await readChain(query, at)
    assert.equal(newest.block, now.block)
  })
})
