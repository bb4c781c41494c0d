import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, afterEach, before, beforeEach, describe, it, mock } from 'node:test'
import { Wallet } from 'ethers'
import { main } from '../../deploy/main.ts'
import { freePorts } from '../../localnet/src/ports.ts'
import { whenLong } from '../helpers/long.ts'
import { command } from './support/command.ts'
import { NODE_KINDS, startNode, type TestNode } from './support/nodes.ts'
import { createPlace, type Place } from './support/place.ts'

describe('The command line of npm run deploy', () => {
  /** A refusal before anything is started: exit code 2, one sentence, nothing on standard output. */
  async function refuses(args: readonly string[], message: RegExp): Promise<void> {
    const [print, complain] = [mock.method(console, 'log'), mock.method(console, 'error')]
    for (const { mock } of [print, complain]) mock.mockImplementation(() => {})
    try {
      assert.equal(await main(args), 2)
    } finally {
      mock.restoreAll()
    }
    const said = complain.mock.calls.map(({ arguments: [text] }) => String(text))
    assert.equal(said.length, 1)
    assert.match(said.join(), message)
    assert.match(said.join(), /^[^\n]+$/)
    assert.equal(print.mock.callCount(), 0)
  }

  it('refuses what it does not know, with a guess', async () => {
    await refuses(['--network'], /argument missing/)
    await refuses([], /^Say where to with --network: one of localhost, mainnet, sepolia$/)
    await refuses(['--network', 'locahost'], /no network locahost; did you mean localhost\?/)
    await refuses(['--network', 'localhost', '--dryrun'], /did you mean --dry-run\?/)
    await refuses(['localhost'], /too many arguments|unknown command/i)
    await refuses(['verify', '--explorer', 'etherscn'], /Allowed choices are etherscan/)
  })

  it('takes no key from the command line', async () => {
    await refuses(['--network', 'localhost', '--private-key', '0x1'], /unknown option/i)
  })

  it('refuses a public network whose treasury is not named, before it asks for a key', async () => {
    await refuses(['--network', 'sepolia', '--yes'], /sepolia\.json: treasury is missing/)
    await refuses(['verify', '--network', 'mainnet'], /mainnet\.json: treasury is missing/)
  })

  it('ends with 2 and one sentence after a typing error', async () => {
    const { code, out, err } = await command(['--network', 'localhost', '--jsn'])
    assert.deepEqual([code, out], [2, ''])
    assert.equal(err, "Unknown option '--jsn'; did you mean --json?\n")
  })

  it('explains itself, with every network and where keys come from', async () => {
    const { code, out } = await command(['--help'])
    assert.equal(code, 0)
    for (const word of ['localhost', 'mainnet', 'sepolia', '--dry-run', 'keystore', 'verify']) {
      assert.match(out, new RegExp(word))
    }
    assert.equal((await command(['verify', '--help'])).code, 0)
  })

  it('says that no node answers, without repeating the URL and the key in it', async () => {
    const [port] = await freePorts(1)
    const url = `http://127.0.0.1:${port}/v3/secret-access-key`
    const { code, out, err } = await command(['--network', 'localhost'], { LOCALHOST_RPC_URL: url })
    assert.match(err, /^The RPC of localhost does not answer; check LOCALHOST_RPC_URL/)
    assert.doesNotMatch(err, /secret/)
    assert.deepEqual([code, out], [1, ''])
  })

  it('refuses a URL that is none', async () => {
    const wrong = { LOCALHOST_RPC_URL: 'secret' }
    const { code, err } = await command(['--network', 'localhost'], wrong)
    assert.match(err, /^LOCALHOST_RPC_URL is not set to an http\(s\) URL; set it with [^\n]*\n$/)
    assert.doesNotMatch(err, /secret/)
    assert.equal(code, 2)
  })

  it('refuses a node of another chain', async () => {
    const node = await startNode('anvil', { chainId: 17 })
    try {
      const args = ['--network', 'localhost', '--json']
      const { code, out, err } = await command(args, { LOCALHOST_RPC_URL: node.rpcUrl })
      assert.match(err, /^LOCALHOST_RPC_URL leads to chain 17, .* is for chain 31337; correct/)
      assert.deepEqual([code, out], [1, ''])
      assert.equal(await node.sent(), 0)
    } finally {
      await node.stop()
    }
  })
})

for (const kind of NODE_KINDS) {
  describe(`npm run deploy as a process (${kind})`, kind === 'anvil' ? {} : whenLong, () => {
    let node: TestNode
    let place: Place
    before(async () => {
      node = await startNode(kind)
    })
    after(() => node?.stop())
    beforeEach(async () => {
      place = await createPlace()
    })
    afterEach(() => place.remove())

    it('deploys, once, with its result on standard output and its progress beside it', async () => {
      const run = (...flags: string[]) => {
        const args = ['--network', 'localhost', '--data', place.folder, '--json', ...flags]
        return command(args, { LOCALHOST_RPC_URL: node.rpcUrl })
      }
      const planned = await run('--dry-run')
      assert.deepEqual([planned.code, planned.err], [0, ''])
      assert.equal(JSON.parse(planned.out).plan.contracts.length, 4)
      assert.equal(await node.sent(), 0)

      const first = await run()
      assert.equal(first.code, 0)
      const { outcome, contracts, file } = JSON.parse(first.out)
      assert.equal(outcome, 'deployed')
      assert.match(first.err, /MainframeToken: sent in transaction 0x[0-9a-f]{64}\n/)
      assert.match(first.err, new RegExp(`PriceBoard: deployed at ${contracts.board.address}\n`))
      assert.ok(existsSync(file))
      assert.deepEqual(JSON.parse(await place.records()), { 31337: contracts })

      const second = await run()
      assert.deepEqual([second.code, second.err], [0, ''])
      assert.deepEqual(JSON.parse(second.out), {
        ...JSON.parse(first.out),
        outcome: 'already deployed',
      })
      assert.equal(await node.sent(), 4)
    })
  })
}

describe('npm run deploy on localhost with a key in the environment', () => {
  it('deploys with that key, and not with the accounts of the node', async () => {
    const node = await startNode('anvil')
    const place = await createPlace()
    try {
      const { privateKey, address } = Wallet.createRandom()
      const args = ['--network', 'localhost', '--data', place.folder]
      const variables = { LOCALHOST_RPC_URL: node.rpcUrl, LOCALHOST_DEPLOYER_KEY: privateKey }
      const poor = await command(args, variables)
      assert.match(poor.err, new RegExp(`^${address} has 0\\.0 ETH, and .*run this again\n$`, 'i'))
      assert.deepEqual([poor.code, poor.out], [1, ''])
      await node.ask('anvil_setBalance', address, '0xde0b6b3a7640000')
      assert.equal((await command(args, variables)).code, 0)
      assert.deepEqual([await node.sent(address), await node.sent()], [4, 0])
    } finally {
      await node.stop()
      await place.remove()
    }
  })
})

describe('npm run deploy that is killed', whenLong, () => {
  it('finishes the same deployment when it is run again', async () => {
    const node = await startNode('Hardhat node')
    const place = await createPlace()
    const args = ['--network', 'localhost', '--data', place.folder, '--json']
    const variables = { LOCALHOST_RPC_URL: node.rpcUrl }
    try {
      const { plan } = JSON.parse((await command([...args, '--dry-run'], variables)).out)
      const killed = await command(args, variables, (err, kill) => {
        if (err.includes('PaymentChannels: sent')) kill()
      })
      assert.deepEqual([killed.code, killed.out], [null, ''])
      assert.equal(await place.records(), '')
      const rest = JSON.parse((await command([...args, '--dry-run'], variables)).out).plan
      assert.equal(rest.contracts[0].state, 'deployed')

      const { code, out } = await command(args, variables)
      assert.equal(code, 0)
      assert.equal(await node.sent(), 4)
      const planned = plan.contracts.map(({ address }: { address: string }) => address)
      const recorded = Object.values<{ address: string }>(JSON.parse(out).contracts)
      assert.deepEqual(recorded.map(({ address }) => address).sort(), planned.sort())
      assert.deepEqual(
        rest.contracts.map(({ address }: { address: string }) => address).sort(),
        planned,
      )
    } finally {
      await node.stop()
      await place.remove()
    }
  })
})
