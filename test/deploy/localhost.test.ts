import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import {
  type ChainRecord,
  CONTRACT_ROLES,
  mainframeTokenAbi,
  parseDeployment,
  paymentChannelsAbi,
  priceBoardAbi,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import { Contract, type InterfaceAbi, JsonRpcProvider, keccak256 } from 'ethers'
import { CONTRACTS } from '../../deploy/contracts.ts'
import type { Outcome } from '../../deploy/report.ts'
import { whenLong } from '../helpers/long.ts'
import { NODE_KINDS, startNode, type TestNode } from './support/nodes.ts'
import { createPlace, deployFrom, type Place, withEnvironment } from './support/place.ts'

/** Amounts as they are printed. */
interface Planned {
  contract: string
  address: string
  state: string
  gas: string
  arguments: { name: string; value: string }[]
}

/** The JSON of a run. */
type Printed = Omit<Outcome, 'plan'> & {
  plan?: {
    deployer: string
    gas: string
    gasPrice: string
    cost: string
    contracts: Planned[]
  }
}

for (const kind of NODE_KINDS) {
  describe(`npm run deploy on localhost (${kind})`, kind === 'anvil' ? {} : whenLong, () => {
    let node: TestNode
    let place: Place
    let fresh: string
    let restore = () => {}

    before(async () => {
      node = await startNode(kind)
      restore = withEnvironment({ LOCALHOST_RPC_URL: node.rpcUrl })
    })
    after(async () => {
      restore()
      await node?.stop()
    })
    beforeEach(async () => {
      place = await createPlace()
      fresh = await node.snapshot()
    })
    afterEach(async () => {
      await node.revert(fresh)
      await place.remove()
    })

    const run = async (options: Parameters<typeof deployFrom>[1] = {}) => {
      const { printed, told } = await deployFrom(place, { json: true, ...options })
      return { ...(JSON.parse(printed) as Printed), told }
    }
    const recordOf = async () =>
      (JSON.parse(await place.records()) as Record<string, ChainRecord>)[31_337] as ChainRecord

    it('refuses a chain that was started anew until it is told to reset', async () => {
      await run()
      await node.revert(fresh)
      fresh = await node.snapshot()
      for (const dryRun of [false, true]) {
        await assert.rejects(run({ dryRun }), {
          code: 'CHAIN_MISMATCH',
          message: /^Chain 31337 has no contract at 0x.* records MainframeToken; .*--reset$/,
        })
      }
      await writeFile(join(place.folder, 'addresses.json'), '{}')
      for (const dryRun of [false, true]) {
        await assert.rejects(run({ dryRun }), {
          code: 'CHAIN_MISMATCH',
          message: /^An earlier run deployed MainframeToken to 0x.*no contract; .*--reset$/,
        })
      }
      assert.equal(await node.sent(), 0)
      assert.equal(
        (await run({ dryRun: true, reset: true })).plan?.contracts[0]?.state,
        'to deploy',
      )
      assert.equal((await run({ reset: true })).outcome, 'deployed')
      assert.equal(await node.sent(), 4)
    })

    it('refuses a chain with other code at a recorded address', async () => {
      await run()
      const { board } = await recordOf()
      const setCode = kind === 'anvil' ? 'anvil_setCode' : 'hardhat_setCode'
      await node.ask(setCode, board.address, '0x6001')
      await assert.rejects(run(), {
        code: 'CHAIN_MISMATCH',
        message: /has another contract at 0x.* records PriceBoard; .*--reset$/,
      })
      assert.equal(await node.sent(), 4)
    })

    it('refuses what was deployed with other parameters or from other sources', async () => {
      await run()
      const file = join(place.folder, 'addresses.json')
      const records = await place.records()
      await writeFile(file, records.replace('"60"', '"61"'))
      await assert.rejects(run(), {
        code: 'CHAIN_MISMATCH',
        message: /^ServiceRegistry .* other parameters \(61, not 60\); deploy these with --reset$/,
      })
      const { registry, token } = await recordOf()
      const swapped = { ...(await recordOf()), token: { ...registry, arguments: token.arguments } }
      await writeFile(file, JSON.stringify({ 31337: swapped }))
      await assert.rejects(run(), {
        code: 'CHAIN_MISMATCH',
        message: /^MainframeToken .* other sources than these; deploy these with --reset$/,
      })
    })

    it('refuses records that are damaged, and leaves them as they are', async () => {
      for (const text of ['{', '[]', '{"31337":{}}', '{"31337":null}']) {
        await writeFile(join(place.folder, 'addresses.json'), text)
        await assert.rejects(run(), { code: 'STORE_CORRUPT', message: /addresses\.json/ })
        assert.equal(await readFile(join(place.folder, 'addresses.json'), 'utf8'), text)
      }
      assert.equal(await node.sent(), 0)
    })

    it('says what a deployment would do and cost, and sends and keeps nothing', async () => {
      const { outcome, plan, told } = await run({ dryRun: true })
      assert.equal(outcome, 'planned')
      assert.deepEqual(told, [])
      assert.equal(await node.sent(), 0)
      assert.equal(existsSync(join(place.folder, 'deployments')), false)
      assert.equal(await place.records(), '')
      const text = (await deployFrom(place, { dryRun: true })).printed
      for (const { contract, address, gas } of plan?.contracts ?? []) {
        assert.match(text, new RegExp(`${contract} +${address} +${gas} gas, 0\\.0\\d+ ETH`))
      }
      assert.match(text, /unbondingPeriod +60\n/)
      assert.match(text, new RegExp(`total +${plan?.gas} gas, 0\\.\\d+ ETH at [\\d.]+ gwei`))
      assert.match(text, /Nothing was sent\.$/)
    })

    it('deploys what the dry run said, where it said, for the gas it said', async () => {
      const { plan } = await run({ dryRun: true })
      const { outcome, told } = await run()
      assert.equal(outcome, 'deployed')
      assert.equal(told.filter((line) => line.includes('deployed at')).length, 4)
      assert.equal(await node.sent(), 4)
      const record = await recordOf()
      assert.equal(plan?.contracts.length, 4)
      for (const role of CONTRACT_ROLES) {
        const planned: Planned | undefined = plan?.contracts.find(
          ({ contract }) => contract === CONTRACTS[role],
        )
        const { address, block, arguments: given } = record[role]
        assert.equal(address, planned?.address)
        assert.deepEqual(
          given.map((text) => text.toLowerCase()),
          planned?.arguments.map(({ value }) => value.toLowerCase()),
        )
        const receipt = await creationReceipt(node, address, block)
        const used = Number(receipt.gasUsed)
        assert.ok(used <= Number(planned?.gas) && Number(planned?.gas) < used * 1.1, role)
      }
    })

    it('records addresses, blocks and hashes of the code that is on the chain', async () => {
      await run()
      const record = await recordOf()
      for (const role of CONTRACT_ROLES) {
        const { address, block, codeHash } = record[role]
        assert.equal(codeHash, keccak256(await node.ask('eth_getCode', address, 'latest')))
        assert.equal(Number((await creationReceipt(node, address, block)).blockNumber), block)
      }
      const { token, registry, board, channels, block } = parseDeployment(
        JSON.parse(await place.records()),
      )
      assert.equal(block, record.token.block)
      const provider = new JsonRpcProvider(node.rpcUrl)
      try {
        const mft = new Contract(token, mainframeTokenAbi, provider)
        const supply = await mft.getFunction('totalSupply')()
        assert.equal(await mft.getFunction('balanceOf')(node.account), supply)
        const read = (address: string, abi: InterfaceAbi, name: string) =>
          new Contract(address, abi, provider).getFunction(name)()
        assert.equal(await read(registry, serviceRegistryAbi, 'minimumStake'), 1_000n * 10n ** 18n)
        assert.equal(await read(registry, serviceRegistryAbi, 'unbondingPeriod'), 60n)
        assert.equal(await read(registry, serviceRegistryAbi, 'token'), record.token.address)
        assert.equal(await read(board, priceBoardAbi, 'delay'), 1n)
        assert.equal(await read(board, priceBoardAbi, 'registry'), record.registry.address)
        const [mftOfChannels, ...notice] = await read(channels, paymentChannelsAbi, 'immutables')
        assert.equal(mftOfChannels, record.token.address)
        assert.deepEqual(notice, [3_600n, 2_592_000n])
      } finally {
        provider.destroy()
      }
    })

    it('does nothing the second time, and says so', async () => {
      await run()
      const records = await place.records()
      const { printed, told } = await deployFrom(place)
      assert.match(printed, /^Already deployed to localhost, chain 31337: there is nothing to do/)
      assert.deepEqual(told, [])
      const again = await run({ dryRun: true })
      assert.equal(again.outcome, 'already deployed')
      assert.equal(await node.sent(), 4)
      assert.equal(await place.records(), records)
    })

    it('does nothing the second time where only the record was left', async () => {
      const { contracts } = await run()
      const elsewhere = await createPlace()
      try {
        await writeFile(join(elsewhere.folder, 'addresses.json'), await place.records())
        const { printed } = await deployFrom(elsewhere, { json: true })
        assert.deepEqual(JSON.parse(printed).contracts, contracts)
        assert.equal(await node.sent(), 4)
      } finally {
        await elsewhere.remove()
      }
    })

    it('writes the record that a run killed before it could not write, and sends nothing', async () => {
      await run()
      const records = await place.records()
      await writeFile(join(place.folder, 'addresses.json'), '{}')
      assert.equal((await run({ dryRun: true })).plan?.gas, '0')
      const { told } = await run()
      assert.deepEqual(told, [])
      assert.equal(await place.records(), records)
      assert.equal(await node.sent(), 4)
    })

    it('keeps what it knows of other chains', async () => {
      await run()
      const here = await recordOf()
      const file = join(place.folder, 'addresses.json')
      await writeFile(file, JSON.stringify({ 5: here }))
      await run()
      assert.deepEqual(JSON.parse(await place.records()), { 5: here, 31337: here })
    })
  })
}

/** The receipt of the transaction that created a contract, from the block it is said to be in. */
async function creationReceipt(node: TestNode, address: string, block: number) {
  const tag = `0x${block.toString(16)}`
  const { transactions } = await node.ask<{ transactions: string[] }>(
    'eth_getBlockByNumber',
    tag,
    false,
  )
  for (const hash of transactions) {
    const receipt = await node.ask<Record<string, string>>('eth_getTransactionReceipt', hash)
    if (receipt['contractAddress']?.toLowerCase() === address.toLowerCase()) return receipt
  }
  throw new Error(`block ${block} created nothing at ${address}`)
}
