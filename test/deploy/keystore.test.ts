import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { atHome, deployAtHome, keystore } from './support/keystore.ts'
import type { TestNode } from './support/nodes.ts'
import { deployFrom, withEnvironment } from './support/place.ts'
import { enterSepolia, type Sepolia, startSepoliaNode } from './support/sepolia.ts'

const PASSWORD = 'correct horse battery'

describe("Hardhat's keystore", () => {
  let node: TestNode
  let sepolia: Sepolia
  let home: string
  before(async () => {
    node = await startSepoliaNode()
    sepolia = await enterSepolia(node)
    home = await mkdtemp(join(tmpdir(), 'mainframe-keystore-'))
  })
  after(async () => {
    await sepolia?.leave()
    await node?.stop()
    await rm(home, { recursive: true })
  })

  it('gives a variable for its password, which is asked for beside the result', async () => {
    const answers = [PASSWORD, PASSWORD, node.rpcUrl]
    const { code } = await keystore(home, ['set', 'LOCALHOST_RPC_URL'], answers)
    assert.equal(code, 0)
    const args = ['--network', 'localhost', '--dry-run', '--json', '--data', sepolia.place.folder]
    const wrong = await deployAtHome(home, args, ['wrong horse battery'])
    assert.match(wrong.err, /^Enter the password: \nThe password of Hardhat's keystore is wrong/)
    assert.deepEqual([wrong.code, wrong.out], [2, ''])

    // this node is none of localhost, so that its answer shows that it was asked
    const right = await deployAtHome(home, args, [PASSWORD])
    assert.match(right.err, /^Enter the password: \nLOCALHOST_RPC_URL leads to chain 11155111/)
    assert.deepEqual([right.code, right.out], [1, ''])
    assert.doesNotMatch(wrong.err + right.err, /horse/)
  })

  it('gives the key that deploys, and keeps it to itself', async () => {
    const { privateKey, address } = sepolia.deployer
    const set = ['set', '--dev', 'SEPOLIA_DEPLOYER_KEY']
    assert.equal((await keystore(home, set, [privateKey])).code, 0)
    const restore = withEnvironment({ ...atHome(home), SEPOLIA_DEPLOYER_KEY: undefined })
    try {
      const { configFolder, place } = sepolia
      const { printed, told } = await deployFrom(place, {
        network: 'sepolia',
        configFolder,
        yes: true,
      })
      assert.match(printed, /^Deployed to sepolia/)
      assert.equal(await node.sent(address), 4)
      const files = await readdir(place.folder, { recursive: true, withFileTypes: true })
      const texts = await Promise.all(
        files
          .filter((file) => file.isFile())
          .map((file) => readFile(join(file.parentPath, file.name), 'latin1')),
      )
      assert.ok(texts.length > 5)
      const everything = [printed, ...told, ...texts].join('\n').toLowerCase()
      assert.ok(!everything.includes(privateKey.slice(2).toLowerCase()))
    } finally {
      restore()
    }
  })
})
