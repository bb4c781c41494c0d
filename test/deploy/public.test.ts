import assert from 'node:assert/strict'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type ChainRecord, CONTRACT_ROLES } from '@mainframe/protocol'
import { openTarget } from '../../deploy/target.ts'
import type { TestNode } from './support/nodes.ts'
import { deployFrom, withEnvironment } from './support/place.ts'
import {
  enterSepolia,
  SEPOLIA,
  type Sepolia,
  startSepoliaNode,
  TREASURY,
} from './support/sepolia.ts'

describe('npm run deploy to a public network', () => {
  let node: TestNode
  let sepolia: Sepolia
  let fresh: string

  before(async () => {
    node = await startSepoliaNode()
  })
  after(() => node?.stop())
  beforeEach(async () => {
    fresh = await node.snapshot()
    sepolia = await enterSepolia(node)
  })
  afterEach(async () => {
    await sepolia.leave()
    await node.revert(fresh)
  })

  const run = (options: Parameters<typeof deployFrom>[1] = {}) =>
    deployFrom(sepolia.place, {
      network: 'sepolia',
      configFolder: sepolia.configFolder,
      ...options,
    })
  const refuses = async (options: Parameters<typeof deployFrom>[1], code: string, text: RegExp) => {
    await assert.rejects(run(options), (error: Error & { code: string }) => {
      assert.match(error.message, text)
      assert.match(error.message, /^[^\n]+$/)
      assert.doesNotMatch(error.message, new RegExp(sepolia.deployer.privateKey.slice(2)))
      assert.equal(error.code, code)
      return true
    })
    assert.equal(await node.sent(sepolia.deployer.address), 0)
    assert.equal(await sepolia.place.records(), '')
  }

  it('refuses without a treasury', async () => {
    await sepolia.configure({})
    await refuses({ yes: true }, 'CONFIG_INVALID', /treasury is missing/)
  })

  it('refuses when URL or key are not set, or are none, and says how to set them', async () => {
    const wrong: [string, string | undefined][] = [
      ['SEPOLIA_RPC_URL', undefined],
      ['SEPOLIA_RPC_URL', 'sepolia.example.org'],
      ['SEPOLIA_DEPLOYER_KEY', undefined],
      ['SEPOLIA_DEPLOYER_KEY', 'correct horse battery staple'],
      ['SEPOLIA_DEPLOYER_KEY', sepolia.deployer.privateKey.slice(0, -2)],
      ['SEPOLIA_DEPLOYER_KEY', `0x${'0'.repeat(64)}`],
    ]
    for (const [name, value] of wrong) {
      const undo = withEnvironment({ [name]: value })
      const sentence = new RegExp(`^${name} is not set to .* \`npx hardhat keystore set ${name}\``)
      await refuses({ yes: true }, 'CONFIG_INVALID', sentence).finally(undo)
    }
  })

  it('refuses the chain of another network', async () => {
    await sepolia.configure({ treasury: TREASURY, chainId: 5 })
    const text = /^SEPOLIA_RPC_URL leads to chain 11155111, .* is for chain 5/
    await refuses({ yes: true }, 'CHAIN_MISMATCH', text)
  })

  it('refuses --reset, as nothing is forgotten there', async () => {
    await refuses({ yes: true, reset: true }, 'CONFIG_INVALID', /for development chains only/)
  })

  it('refuses to take a fork for the network when it would be recorded in the repository', async () => {
    await assert.rejects(openTarget({ network: 'sepolia', configFolder: sepolia.configFolder }), {
      code: 'CONFIG_INVALID',
      message: /development node \(anvil.*passes for sepolia; for a rehearsal give --data/,
    })
  })

  it('refuses when the account cannot pay, and says what is missing', async () => {
    await sepolia.give(sepolia.deployer.address, 1_000n)
    const text = /has 0\.000000000000001 ETH, and the deployment takes about 0\.0\d+ ETH .* send it/
    await refuses({ yes: true }, 'PAYMENT_INSUFFICIENT', text)
    assert.match((await run({ dryRun: true })).printed, /Nothing was sent/)
  })

  it('asks before it sends anything, with what it costs, and takes only a yes for one', async () => {
    for (const answer of ['', 'n', 'yep']) {
      await refuses({ answer }, 'CONFIG_INVALID', /^Not deployed, as you did not say yes$/)
    }
    const asked: string[] = []
    const { told } = await run({ answer: 'y' }).then((done) => {
      asked.push(...done.asked)
      return done
    })
    assert.equal(asked.length, 1)
    assert.match(asked[0] ?? '', new RegExp(`deploy to sepolia, chain ${SEPOLIA}, from 0x`))
    assert.match(asked[0] ?? '', new RegExp(`Treasury ${TREASURY}.*100000 MFT.*3600 s`))
    assert.match(asked[0] ?? '', /about 0\.0\d+ ETH, and cannot be undone/)
    assert.equal(told.filter((line) => line.includes('deployed at')).length, 4)
  })

  it('deploys with the key of the environment, for the treasury, and records it once', async () => {
    const first = await run({ yes: true, json: true })
    assert.deepEqual(first.asked, [])
    const records = await sepolia.place.records()
    const record = (JSON.parse(records) as Record<string, ChainRecord>)[SEPOLIA] as ChainRecord
    assert.deepEqual(record.token.arguments, [TREASURY])
    assert.deepEqual(record.board.arguments, [record.registry.address, '3600'])
    assert.equal(await node.sent(sepolia.deployer.address), 4)
    assert.equal(await node.sent(), 0)
    for (const role of CONTRACT_ROLES) assert.ok(record[role].block > 0)
    const second = await run()
    assert.match(second.printed, /^Already deployed to sepolia/)
    assert.deepEqual(second.asked, [])
    assert.equal(await node.sent(sepolia.deployer.address), 4)
    assert.equal(await sepolia.place.records(), records)

    await sepolia.configure({ treasury: TREASURY, priceDelaySeconds: 7_200 })
    await assert.rejects(run({ yes: true }), {
      code: 'CHAIN_MISMATCH',
      message:
        /^PriceBoard .* \(3600, not 7200\); go back to those, or for a new deployment take 11155111 out of .*addresses\.json and delete deployments\/chain-11155111/,
    })
    await node.ask('anvil_setCode', record.token.address, '0x')
    await sepolia.configure({ treasury: TREASURY })
    await assert.rejects(run({ yes: true }), {
      code: 'CHAIN_MISMATCH',
      message: /no contract at 0x.* check the RPC; only if it is right, take 11155111 out of/,
    })
    assert.equal(await node.sent(sepolia.deployer.address), 4)
  })
})
