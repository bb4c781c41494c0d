import assert from 'node:assert/strict'
import { chmod, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import {
  COIN_TOKEN,
  decodeMultiaddrs,
  errorCode,
  fromHex,
  type Hex,
  isRegistrationSigned,
  SERVICE_NAMES,
  serviceId,
  toHex,
} from '@mainframe/protocol'
import { boardContract, callView } from '../../../node/src/chain/contracts.ts'
import { Rpc } from '../../../node/src/chain/rpc.ts'
import { createKeys, loadKeys } from '../../../node/src/operator/keys.ts'
import { askedPrices, setPrices } from '../../../node/src/operator/prices.ts'
import { fetchNode, registerRelay, updateRelay } from '../../../node/src/operator/register.ts'
import { startChain, type TestChain } from '../../helpers/chain.ts'
import { createRelay, MFT, newFolder, newKeys, POLL_MS, senderOf } from '../chain-support.ts'

describe('the keys of a relay', () => {
  let folder = ''
  before(async () => {
    folder = await newFolder()
  })
  after(async () => {
    await rm(folder, { recursive: true })
  })

  it('are missed where there are none', async () => {
    await assert.rejects(loadKeys(folder), (error) => errorCode(error) === 'CONFIG_INVALID')
    await assert.rejects(
      createKeys(join(folder, 'nowhere')),
      (error) => errorCode(error) === 'STORE_FAILED',
    )
  })

  it('are made once, for the owner alone', async () => {
    const keys = await createKeys(folder)
    assert.equal((await stat(join(folder, 'keys.json'))).mode & 0o777, 0o600)
    assert.deepEqual(await createKeys(folder), keys)
    assert.deepEqual(await loadKeys(folder), keys)
    assert.notDeepEqual((await newKeys()).nodeSeed, keys.nodeSeed)
  })

  it('are refused when others may read them', async () => {
    await chmod(join(folder, 'keys.json'), 0o640)
    await assert.rejects(loadKeys(folder), /can be read by others; run "chmod 600 /)
    await chmod(join(folder, 'keys.json'), 0o600)
  })

  it('are refused when damaged, without a word of the secret', async () => {
    const path = join(folder, 'keys.json')
    const text = await readFile(path, 'utf8')
    const secret = (JSON.parse(text) as { hotSecret: string }).hotSecret
    for (const damaged of [text.slice(0, -9), '{}', 'null', text.replace(secret, `${secret}00`)]) {
      await writeFile(path, damaged)
      await assert.rejects(loadKeys(folder), (error) => {
        assert.equal(errorCode(error), 'STORE_CORRUPT')
        assert.ok(!JSON.stringify([String(error), error]).includes(secret.slice(2, 20)))
        return true
      })
    }
  })
})

describe('the prices of a relay', () => {
  const least = { routeUnits: 1_001, holdUnitsPerHour: 3 }

  it('are refused where the margin makes them more than anybody can pay', () => {
    const priceless = { ...least, routeUnits: Number.MAX_SAFE_INTEGER }
    const asked = () => askedPrices({ ...priceless, marginPercent: 1 })
    assert.throws(asked, (error) => errorCode(error) === 'CONFIG_INVALID')
    assert.deepEqual(askedPrices({ ...priceless, marginPercent: 0 }), priceless)
  })

  it('are what packets cost it, with the margin, rounded up', () => {
    assert.deepEqual(askedPrices({ ...least, marginPercent: 0 }), least)
    assert.deepEqual(askedPrices({ ...least, marginPercent: 10 }), {
      routeUnits: 1_102,
      holdUnitsPerHour: 4,
    })
    assert.equal(askedPrices({ ...least, marginPercent: 10_000 }).routeUnits, 101_101)
  })
})

describe('a relay on the chain', () => {
  let chain: TestChain
  before(async () => {
    chain = await startChain()
  })
  after(async () => {
    await chain.stop()
  })

  const rpc = () => new Rpc({ url: chain.rpcUrl })

  async function registration(stakeBase: bigint, mft = 2_000n * MFT) {
    const [operator, keys] = [await chain.createAccount(mft), await newKeys()]
    const announcement = { multiaddrs: ['/ip4/127.0.0.1/tcp/4001'], metadata: '' }
    const { deployment } = chain
    const operatorSecret = operator.secretKey
    const common = { rpc: rpc(), deployment, operatorSecret, keys, pollMs: POLL_MS }
    return { ...common, stakeBase, ...announcement }
  }

  it('is not registered with too little stake, or more than the operator has', async () => {
    await assert.rejects(
      registerRelay(await registration(999n * MFT)),
      /register reverted: RegistryStakeTooLow\(999000000000000000000, 1000000000000000000000\)/,
    )
    await assert.rejects(
      registerRelay(await registration(3_000n * MFT)),
      /register reverted: ERC20InsufficientBalance/,
    )
  })

  it('is registered once, and only reported the second time', async () => {
    const options = await registration(1_000n * MFT)
    const first = await registerRelay(options)
    assert.match(first.transactionHash ?? '', /^0x[0-9a-f]{64}$/)
    const second = await registerRelay(options)
    assert.deepEqual(second, { nodeId: first.nodeId, transactionHash: undefined })
    const node = await fetchNode(options.rpc, chain.deployment, first.nodeId)
    assert.ok(node)
    assert.equal(node.stake, 1_000n * MFT)
    assert.equal(node.manager, options.keys.hotAccount)
    assert.equal(node.payee, options.keys.hotAccount)
    assert.equal(node.sealKey, toHex(options.keys.sealKey.publicKey))
    const context = {
      chainId: BigInt(chain.deployment.chainId),
      registry: fromHex(chain.deployment.registry),
      operator: fromHex(node.operator),
    }
    assert.ok(isRegistrationSigned(options.keys.nodeKey, fromHex(node.signature), context))
  })

  it('publishes changed addresses, and nothing when they are the same', async () => {
    const { node, sender } = await createRelay(chain)
    const { deployment } = chain
    const wished = { multiaddrs: ['/ip4/127.0.0.1/tcp/5001'], metadata: '{"name":"a relay"}' }
    assert.ok(await updateRelay(node, wished, { sender, deployment }))
    const updated = await fetchNode(rpc(), deployment, node.nodeId)
    assert.ok(updated)
    assert.deepEqual(decodeMultiaddrs(updated.multiaddrs), wished.multiaddrs)
    assert.equal(await updateRelay(updated, wished, { sender, deployment }), undefined)
    // the record it was made from is no longer the current one
    await assert.rejects(
      updateRelay(node, { ...wished, metadata: 'x' }, { sender, deployment }),
      /update reverted: RegistryNotAuthorised/,
    )
  })

  it('has the same prices in every medium on the board, and takes those away that it leaves', async () => {
    const { node, sender } = await createRelay(chain)
    const { deployment } = chain
    const [coin, other]: [Hex, Hex] = [COIN_TOKEN, `0x${'66'.repeat(20)}`]
    const common = { rpc: rpc(), deployment, sender, node }
    const prices = { routeUnits: 1_000, holdUnitsPerHour: 50 }
    const media = [
      { token: coin, baseUnitsPerUnit: 350_000n },
      { token: other, baseUnitsPerUnit: 2n },
    ]
    assert.ok(await setPrices({ ...common, prices, media }))
    assert.equal(await setPrices({ ...common, prices, media }), undefined)
    const rowsIn = async (token: Hex) => {
      const services = Object.values(SERVICE_NAMES).map((name) => toHex(serviceId(name)))
      const args = [services.map(() => node.nodeId), services, services.map(() => token)]
      const call = { to: deployment.board, contract: boardContract, method: 'rows', args }
      const [rows] = await callView(rpc(), call)
      return [...rows].map(({ next, unit, active }) => [next, Number(unit), active])
    }
    assert.deepEqual(await rowsIn(coin), [
      [350_000_000n, 0, true],
      [17_500_000n, 1, true],
    ])
    const raised = { ...prices, holdUnitsPerHour: 60 }
    assert.ok(await setPrices({ ...common, prices: raised, media: media.slice(1), left: [coin] }))
    assert.deepEqual(await rowsIn(coin), [
      [0n, 0, false],
      [0n, 0, false],
    ])
    assert.deepEqual(await rowsIn(other), [
      [2_000n, 0, true],
      [120n, 1, true],
    ])
    assert.equal(await setPrices({ ...common, prices: raised, media: [], left: [coin] }), undefined)
  })

  it('changes only prices that differ, by its manager alone', async () => {
    const { node, sender } = await createRelay(chain)
    const { deployment } = chain
    const set = (routeUnits: number, holdUnitsPerHour: number, by = sender) =>
      setPrices({
        rpc: rpc(),
        deployment,
        sender: by,
        node,
        prices: { routeUnits, holdUnitsPerHour },
      })
    const stranger = senderOf(chain, (await chain.createAccount(0n)).secretKey)
    await assert.rejects(set(1, 1, stranger), /setPrices reverted: BoardNotAuthorised/)
    await assert.rejects(set(0, 1), /setPrices reverted: BoardZeroPrice/)
    assert.equal(await set(1_000, 50), undefined)
    const hash = await set(1_000, 60)
    const { logs } = await chain.request<{ logs: { data: string }[] }>(
      'eth_getTransactionReceipt',
      [hash],
    )
    assert.equal(logs.length, 1)
    // announced already, though not in force yet
    assert.equal(await set(1_000, 60), undefined)
    assert.ok(await set(900, 50))
  })
})
