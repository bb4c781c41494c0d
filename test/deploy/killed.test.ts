import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import { wipe } from '@nomicfoundation/ignition-core'
import { createArtifactResolver } from '../../deploy/artifacts.ts'
import { deployContracts } from '../../deploy/deploy.ts'
import { readJournal } from '../../deploy/journal.ts'
import { readNetwork } from '../../deploy/networks.ts'
import { planDeployment } from '../../deploy/plan.ts'
import type { RequestProvider } from '../../deploy/provider.ts'
import { COMPILE_CACHE_FOLDER } from '../../localnet/src/compile-cache.ts'
import { whenLong } from '../helpers/long.ts'
import { NODE_KINDS, startNode, type TestNode } from './support/nodes.ts'

const MORTAL = join(import.meta.dirname, 'support/mortal.ts')
const { parameters } = readNetwork('localhost')

/** Deploys in a process that dies at the first point not survived; resolves with that point, or "done". */
async function deployMortally(
  rpcUrl: string,
  deploymentDir: string,
  survived: readonly string[],
): Promise<string> {
  const args = [MORTAL, rpcUrl, deploymentDir, survived.join(',')]
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE_FOLDER }
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text
  })
  const [code, signal] = await once(child, 'close')
  assert.deepEqual([code, signal], out === 'done' ? [0, null] : [null, 'SIGKILL'])
  return out
}

/** Every point at which a process can die in a deployment, one after the other. */
async function dieEverywhere(
  rpcUrl: string,
  deploymentDir: string,
  survived: readonly string[] = [],
): Promise<string[]> {
  const points = [...survived]
  for (;;) {
    const point = await deployMortally(rpcUrl, deploymentDir, points)
    if (point === 'done') return points.slice(survived.length)
    points.push(point)
  }
}

for (const kind of NODE_KINDS) {
  describe(
    `A deployment that is killed and run again (${kind})`,
    kind === 'anvil' ? {} : whenLong,
    () => {
      let node: TestNode
      let folder: string
      let fresh: string
      before(async () => {
        node = await startNode(kind)
      })
      after(() => node?.stop())
      beforeEach(async () => {
        folder = await mkdtemp(join(tmpdir(), 'mainframe-killed-'))
        fresh = await node.snapshot()
      })
      afterEach(async () => {
        await node.revert(fresh)
        await rm(folder, { recursive: true })
      })

      const planned = async (deploymentDir?: string) => {
        const deployer = node.account as Hex
        const options = { provider: node.provider, deployer, deploymentDir, parameters }
        const { contracts } = await planDeployment(options)
        return contracts.map(({ contract, address }) => `${contract} ${address}`)
      }
      const deployed = async () => {
        const entries = await readJournal(folder)
        return entries.map(({ contract, address }) => `${contract} ${address}`)
      }

      it('is planned as it will be, wherever the kill came', async () => {
        const addresses = await planned()
        const survived: string[] = []
        for (const point of [
          'before sending 0',
          'before the answer to 0',
          'MainframeToken mined',
        ]) {
          assert.equal(await deployMortally(node.rpcUrl, folder, survived), point)
          assert.deepEqual(await planned(folder), addresses, point)
          survived.push(point)
        }
      })

      it('goes on after half a line in the journal and half a list of addresses', async () => {
        const addresses = await planned()
        await deployMortally(node.rpcUrl, folder, ['before sending 0', 'before the answer to 0'])
        const journal = join(folder, 'journal.jsonl')
        await appendFile(journal, '\n{"type":"DEPLOYMENT_EXECUTION_STATE_IN')
        await writeFile(join(folder, 'deployed_addresses.json'), '{"Mainframe#Mai')
        await deployContracts({ provider: node.provider, deploymentDir: folder, parameters })
        assert.deepEqual((await deployed()).sort(), addresses.sort())
        assert.equal(await node.sent(), 4)
      })

      it('begins a contract anew whose transaction failed', async () => {
        const { provider } = node
        const stingy: RequestProvider = {
          request: async (call) => {
            if (call.method !== 'eth_sendTransaction') return await provider.request(call)
            const [transaction] = call.params as [object]
            // enough for the transaction, and too little for the contract
            return await provider.request({ ...call, params: [{ ...transaction, gas: '0x7a120' }] })
          },
        }
        await assert.rejects(
          deployContracts({ provider: stingy, deploymentDir: folder, parameters }),
          {
            code: 'CHAIN_REJECTED',
            message: /^A transaction failed; .*Mainframe#MainframeToken: /,
          },
        )
        assert.match((await planned(folder))[0] ?? '', /^MainframeToken /)
        await deployContracts({ provider, deploymentDir: folder, parameters })
        assert.equal((await deployed()).length, 4)
        assert.equal(await node.sent(), 5)
      })

      it('takes another nonce when that of a transaction it did not send was used otherwise', async () => {
        assert.equal(await deployMortally(node.rpcUrl, folder, []), 'before sending 0')
        await node.ask('eth_sendTransaction', {
          from: node.account,
          to: node.account,
          value: '0x1',
        })
        await deployContracts({ provider: node.provider, deploymentDir: folder, parameters })
        const nonces = (await readJournal(folder)).map(({ nonce }) => nonce)
        assert.deepEqual(nonces.sort(), [1, 2, 3, 4])
        assert.equal(await node.sent(), 5)
      })

      it('stops at a transaction that it waited for in vain, until it is told to forget it', async () => {
        await deployMortally(node.rpcUrl, folder, ['before sending 0', 'before the answer to 0'])
        await appendFile(
          join(folder, 'journal.jsonl'),
          '\n{"type":"ONCHAIN_INTERACTION_TIMEOUT","futureId":"Mainframe#MainframeToken","networkInteractionId":1}',
        )
        const options = { provider: node.provider, deploymentDir: folder, parameters }
        await assert.rejects(deployContracts(options), {
          code: 'CHAIN_REJECTED',
          message:
            /^An earlier run waited in vain for transaction 0x[0-9a-f]{64} of MainframeToken/,
        })
        await wipe(folder, createArtifactResolver(), 'Mainframe#MainframeToken')
        await node.ask('evm_mine') // a transaction that still waits would be in the way
        await deployContracts(options)
        assert.equal((await deployed()).length, 4)
      })

      it('is not mixed with another: other parameters are refused', async () => {
        await deployMortally(node.rpcUrl, folder, ['before sending 0', 'before the answer to 0'])
        const other = { ...parameters, treasury: `0x${'ab'.repeat(20)}` as Hex }
        const options = { provider: node.provider, deploymentDir: folder }
        await assert.rejects(deployContracts({ ...options, parameters: other }), {
          code: 'CHAIN_MISMATCH',
          message: /^An earlier deployment in this folder had other parameters/,
        })
        assert.equal(await node.sent(), 1)
      })

      it('is not gone on with on another chain', async () => {
        await deployMortally(node.rpcUrl, folder, [
          'before sending 0',
          'before the answer to 0',
          'MainframeToken sent',
          'MainframeToken mined',
        ])
        await node.revert(fresh)
        fresh = await node.snapshot()
        const options = { provider: node.provider, deploymentDir: folder, parameters }
        await assert.rejects(deployContracts(options), {
          code: 'CHAIN_MISMATCH',
          message:
            /deployed MainframeToken to 0x[0-9a-fA-F]{40}, where this chain has no contract$/,
        })
        assert.equal(await node.sent(), 0)
      })

      // a process for each of 17 steps is a lot: on the node that keeps transactions waiting for a block
      if (kind === 'anvil') return
      it('is the one that was begun, whichever step the kills came in', async () => {
        const addresses = await planned()
        const points = await dieEverywhere(node.rpcUrl, folder)
        // "sent" is told by nobody whose process died before it had the node's answer
        for (const nonce of [0, 1, 2, 3]) {
          assert.ok(points.includes(`before sending ${nonce}`), `${points}`)
          assert.ok(points.includes(`before the answer to ${nonce}`), `${points}`)
        }
        assert.equal(points.filter((point) => /mined|deployed/.test(point)).length, 8, `${points}`)
        assert.deepEqual((await deployed()).sort(), addresses.sort())
        assert.equal(await node.sent(), 4)
      })
    },
  )
}

describe('deployContracts', () => {
  it('refuses without a chain, and when the chain does not answer', async () => {
    const deploymentDir = join(tmpdir(), 'mainframe-never-written')
    await assert.rejects(deployContracts({ deploymentDir }), { code: 'VALIDATION_FAILED' })
    const rpcUrl = 'http://127.0.0.1:1'
    await assert.rejects(deployContracts({ deploymentDir, rpcUrl }), { code: 'CHAIN_UNREACHABLE' })
  })
})
