import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it, mock } from 'node:test'
import { type ChainRecord, CONTRACT_ROLES } from '@mainframe/protocol'
import { concat, Interface } from 'ethers'
import { readArtifact } from '../../deploy/artifacts.ts'
import { CONTRACTS } from '../../deploy/contracts.ts'
import type { VerifyCommand } from '../../deploy/options.ts'
import { runVerify } from '../../deploy/verify.ts'
import { whenLong } from '../helpers/long.ts'
import type { TestNode } from './support/nodes.ts'
import { deployFrom, withEnvironment } from './support/place.ts'
import { enterSepolia, SEPOLIA, type Sepolia, startSepoliaNode } from './support/sepolia.ts'
import { type FakeSourcify, startSourcify } from './support/sourcify.ts'

describe('npm run deploy -- verify', whenLong, () => {
  let node: TestNode
  let sepolia: Sepolia
  let sourcify: FakeSourcify
  let restore = () => {}
  let told: string[] = []

  before(async () => {
    node = await startSepoliaNode()
    sepolia = await enterSepolia(node)
    sourcify = await startSourcify(node)
    restore = withEnvironment({ SOURCIFY_API_URL: sourcify.apiUrl })
  })
  after(async () => {
    restore()
    await sourcify?.stop()
    await sepolia?.leave()
    await node?.stop()
  })

  beforeEach(() => {
    told = []
  })

  const recorded = async () =>
    (JSON.parse(await sepolia.place.records()) as Record<string, ChainRecord>)[
      SEPOLIA
    ] as ChainRecord
  const verify = async () => {
    const { place, configFolder } = sepolia
    const command: VerifyCommand = {
      command: 'verify',
      network: 'sepolia',
      explorers: ['sourcify'],
      data: place.folder,
    }
    const tell = (text: string) => told.push(text)
    // the plugin tells the story in its own words
    const log = mock.method(console, 'log', () => {})
    try {
      await runVerify(command, { print: tell, tell, ask: async () => '' }, configFolder)
    } finally {
      log.mock.restore()
    }
  }

  it('refuses where nothing is recorded', async () => {
    await assert.rejects(verify(), {
      code: 'CONFIG_INVALID',
      message: /addresses\.json records nothing of sepolia; deploy to it first$/,
    })
    assert.deepEqual(sourcify.submissions, [])
  })

  it('records the arguments that the constructors were given', async () => {
    await deployFrom(sepolia.place, {
      network: 'sepolia',
      configFolder: sepolia.configFolder,
      yes: true,
    })
    const record = await recorded()
    for (const role of CONTRACT_ROLES) {
      const { address, block, arguments: given } = record[role]
      const { abi, bytecode } = await readArtifact(CONTRACTS[role])
      const creation = concat([bytecode, new Interface(abi).encodeDeploy(given)])
      assert.equal(await creationCode(node, address, block), creation, role)
    }
  })

  it('shows sources and settings that compile to the code on the chain, metadata included', async () => {
    await verify()
    const record = await recorded()
    const { submissions, verified } = sourcify
    assert.equal(submissions.length, 4, 'each is right at the first try')
    for (const role of CONTRACT_ROLES) {
      assert.ok(verified.has(record[role].address.toLowerCase()), role)
      const shown = submissions.find(({ address }) => address === record[role].address)
      const { settings, sources } = shown?.stdJsonInput ?? { settings: {}, sources: {} }
      assert.equal(settings['evmVersion'], 'cancun')
      assert.equal(settings['viaIR'], true)
      assert.deepEqual(settings['optimizer'], { enabled: true, runs: 1_000_000 })
      const others = Object.keys(sources).filter((source) => /test|mock/i.test(source))
      assert.deepEqual(others, [])
    }
    assert.deepEqual(
      told,
      CONTRACT_ROLES.map((role) => `${CONTRACTS[role]} on sourcify: verified`),
    )
  })

  it('does not show again what is verified', async () => {
    await verify()
    assert.equal(sourcify.submissions.length, 4)
  })

  it('reports what an explorer refuses, contract by contract, and fails', async () => {
    sourcify.refuse()
    await assert.rejects(verify(), {
      code: 'CHAIN_REJECTED',
      message: /^Not verified: MainframeToken on sourcify, .*PaymentChannels on sourcify;/,
    })
    assert.match(told[0] ?? '', /^MainframeToken on sourcify: .*The code is another one/s)
  })

  it('shows nothing of a chain that has other contracts', async () => {
    const before = sourcify.submissions.length
    await node.ask('anvil_setCode', (await recorded()).token.address, '0x6001')
    await assert.rejects(verify(), { code: 'CHAIN_MISMATCH', message: /another contract at/ })
    assert.equal(sourcify.submissions.length, before)
  })
})

/** What was sent to create a contract. */
async function creationCode(node: TestNode, address: string, block: number): Promise<string> {
  type Sent = { hash: string; input: string }
  const tag = `0x${block.toString(16)}`
  const { transactions } = await node.ask<{ transactions: Sent[] }>(
    'eth_getBlockByNumber',
    tag,
    true,
  )
  for (const { hash, input } of transactions) {
    const { contractAddress } = await node.ask<{ contractAddress: string | null }>(
      'eth_getTransactionReceipt',
      hash,
    )
    if (contractAddress?.toLowerCase() === address.toLowerCase()) return input
  }
  throw new Error(`block ${block} created nothing at ${address}`)
}
