import { expect } from 'chai'
import { network } from 'hardhat'

describe('the chain of hardhat node', () => {
  let connection: Awaited<ReturnType<typeof network.create>>
  beforeEach(async () => {
    connection = await network.create('node')
  })
  afterEach(() => connection.close())

  it('mines at its interval, and its clock goes as fast as that of the wall', async () => {
    const { ethers } = connection
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
