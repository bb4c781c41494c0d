import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { network } from 'hardhat'
import { type DeployOptions, deployContracts } from '../../deploy/deploy.ts'
import { MFT } from './support/chain.ts'

const parameters = { minimumStake: 7n * MFT, unbondingPeriodSeconds: 5, priceDelaySeconds: 2 }

const open: { close(): Promise<void> }[] = []

/** A chain like that of `hardhat node`: nothing is mined but at its interval. */
async function localChain() {
  const connection = await network.create('node')
  open.push(connection)
  const { provider, ethers } = connection
  const ask = async (method: string, ...params: unknown[]) =>
    (await provider.request({ method, params })) as never
  return { provider, ethers, ask }
}

/** The code an attempt to deploy is refused with. */
async function refusal(options: DeployOptions): Promise<unknown> {
  return deployContracts(options).then(
    () => 'deployed',
    (error: { code?: unknown }) => error.code ?? error,
  )
}

afterEach(async () => {
  for (const connection of open.splice(0)) await connection.close()
})

describe('deployContracts', () => {
  let folder: string
  const deploymentDir = () => join(folder, 'deployment')

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-deploy-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('refuses without a chain, and when the chain does not answer', async () => {
    expect(await refusal({ deploymentDir: deploymentDir() })).to.equal('VALIDATION_FAILED')
    const rpcUrl = 'http://127.0.0.1:1'
    expect(await refusal({ rpcUrl, deploymentDir: deploymentDir() })).to.equal('CHAIN_UNREACHABLE')
  })

  it('deploys all four over an interval-mining chain, and nothing the second time', async () => {
    const { provider, ask, ethers } = await localChain()
    const options = { provider, deploymentDir: deploymentDir(), parameters }
    const deployment = await deployContracts(options)
    expect(deployment.chainId).to.equal(31_337)
    const block = await ethers.provider.getBlock(deployment.block)
    expect(block?.transactions).not.to.have.length(0)
    const token = await ethers.getContractAt('MainframeToken', deployment.token)
    const [treasury] = await ethers.getSigners()
    expect(await token.balanceOf(treasury?.address ?? '')).to.equal(await token.totalSupply())
    const registry = await ethers.getContractAt('ServiceRegistry', deployment.registry)
    expect(await registry.minimumStake()).to.equal(parameters.minimumStake)
    expect(await registry.unbondingPeriod()).to.equal(5n)
    expect(await registry.token()).to.equal(deployment.token)
    const board = await ethers.getContractAt('PriceBoard', deployment.board)
    expect(await board.delay()).to.equal(2n)
    expect(await board.registry()).to.equal(deployment.registry)
    const channels = await ethers.getContractAt('PaymentChannels', deployment.channels)
    expect((await channels.immutables()).mft).to.equal(deployment.token)

    const sent = await ask('eth_getTransactionCount', treasury?.address, 'pending')
    expect(await deployContracts(options)).to.deep.equal(deployment)
    expect(await ask('eth_getTransactionCount', treasury?.address, 'pending')).to.equal(sent)
  })

  it('refuses a folder whose chain is gone, and one with other parameters', async () => {
    const { provider } = await localChain()
    const options = { provider, deploymentDir: deploymentDir(), parameters }
    await deployContracts(options)
    const changed = { ...parameters, priceDelaySeconds: 3 }
    expect(await refusal({ ...options, parameters: changed })).to.equal('CHAIN_MISMATCH')
    const other = await localChain()
    expect(await refusal({ ...options, provider: other.provider })).to.equal('CHAIN_MISMATCH')
  })
})

describe('the chain of hardhat node', () => {
  it('mines at its interval, and its clock goes as fast as that of the wall', async () => {
    const { ethers } = await localChain()
    const [sender] = await ethers.getSigners()
    const send = async () => {
      const sent = await sender?.sendTransaction({ to: sender.address, value: 1n })
      const receipt = await sent?.wait(1, 20_000)
      return receipt?.getBlock()
    }
    const startedAt = Date.now()
    const blocks = [await send(), await send(), await send(), await send(), await send()]
    const numbers = new Set(blocks.map((block) => block?.number ?? 0))
    expect(numbers.size).to.equal(5)
    const elapsed = (blocks[4]?.timestamp ?? 0) - (blocks[0]?.timestamp ?? 0)
    // a second a block, the default, would be three times as fast
    expect(elapsed * 1_000).to.be.within(0, Date.now() - startedAt + 1_000)
  })
})
