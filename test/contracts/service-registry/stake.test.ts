import { decodeLogHead } from '@mainframe/protocol'
import { expect } from 'chai'
import { deployed, ethers, MFT, networkHelpers, parameters, ZERO } from '../support/chain.ts'
import { continuityWord, logsOf, replay, storedHead } from '../support/continuity.ts'
import { key, registerNode } from '../support/nodes.ts'

const { loadFixture, time } = networkHelpers
const { minimumStake, unbondingPeriodSeconds } = parameters
const coder = ethers.AbiCoder.defaultAbiCoder()

async function registered() {
  const contracts = await deployed()
  const { registry } = contracts
  return {
    ...contracts,
    ...(await registerNode(contracts)),
    address: await registry.getAddress(),
  }
}

describe('ServiceRegistry stake', () => {
  it('refuses to add nothing, or to a node that is not active', async () => {
    const { registry, alice, mallory, nodeId, nodeKey } = await loadFixture(registered)
    await expect(registry.connect(alice).addStake(nodeKey, 0n))
      .to.be.revertedWithCustomError(registry, 'RegistryBadAmount')
      .withArgs(0n)
    await expect(registry.connect(mallory).addStake(nodeKey, 1n))
      .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
      .withArgs(await registry.nodeIdOf(mallory.address, nodeKey))
    await registry.connect(alice).beginUnstake(nodeKey)
    await expect(registry.connect(alice).addStake(nodeKey, 1n))
      .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
      .withArgs(nodeId)
  })

  it('refuses to unstake twice, or for somebody else', async () => {
    const { registry, alice, bob, nodeId, nodeKey } = await loadFixture(registered)
    await expect(registry.connect(bob).beginUnstake(nodeKey))
      .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
      .withArgs(await registry.nodeIdOf(bob.address, nodeKey))
    await registry.connect(alice).beginUnstake(nodeKey)
    await expect(registry.connect(alice).beginUnstake(nodeKey))
      .to.be.revertedWithCustomError(registry, 'RegistryNotActive')
      .withArgs(nodeId)
  })

  it('refuses to pay out while active, within the unbonding period, twice, or to nobody', async () => {
    const { registry, alice, mallory, nodeId, nodeKey, address } = await loadFixture(registered)
    const operator = registry.connect(alice)
    await expect(operator.withdrawStake(nodeKey, alice.address))
      .to.be.revertedWithCustomError(registry, 'RegistryNothingToWithdraw')
      .withArgs(nodeId)
    await operator.beginUnstake(nodeKey)
    const unlockAt = BigInt(await time.latest()) + BigInt(unbondingPeriodSeconds)
    await time.setNextBlockTimestamp(unlockAt - 1n)
    await expect(operator.withdrawStake(nodeKey, alice.address))
      .to.be.revertedWithCustomError(registry, 'RegistryStillBonded')
      .withArgs(unlockAt, unlockAt - 1n)
    await time.increaseTo(unlockAt)
    for (const to of [ZERO, address]) {
      await expect(operator.withdrawStake(nodeKey, to))
        .to.be.revertedWithCustomError(registry, 'RegistryBadRecipient')
        .withArgs(to)
    }
    await expect(registry.connect(mallory).withdrawStake(nodeKey, mallory.address))
      .to.be.revertedWithCustomError(registry, 'RegistryNothingToWithdraw')
      .withArgs(await registry.nodeIdOf(mallory.address, nodeKey))
    await operator.withdrawStake(nodeKey, alice.address)
    await expect(operator.withdrawStake(nodeKey, alice.address))
      .to.be.revertedWithCustomError(registry, 'RegistryNothingToWithdraw')
      .withArgs(nodeId)
  })

  it('adds to the stake by allowance: event, state and both balances', async () => {
    const { token, registry, alice, nodeId, nodeKey, address } = await loadFixture(registered)
    const transaction = registry.connect(alice).addStake(nodeKey, 3n * MFT)
    await transaction
    const continuity = await continuityWord(registry)
    await expect(transaction)
      .to.emit(registry, 'StakeAdded')
      .withArgs(nodeId, minimumStake + 3n * MFT, continuity)
    await expect(transaction).to.changeTokenBalances(
      ethers,
      token,
      [alice.address, address],
      [-3n * MFT, 3n * MFT],
    )
    expect((await registry.states([nodeId]))[0]?.stake).to.equal(minimumStake + 3n * MFT)
  })

  it('adds to the stake by transferAndCall', async () => {
    const { token, registry, alice, nodeId, nodeKey, address } = await loadFixture(registered)
    const send = token.connect(alice)['transferAndCall(address,uint256,bytes)']
    await expect(
      send(address, 2n * MFT, coder.encode(['bytes32'], [nodeKey])),
    ).to.changeTokenBalances(ethers, token, [alice.address, address], [-2n * MFT, 2n * MFT])
    expect((await registry.states([nodeId]))[0]?.stake).to.equal(minimumStake + 2n * MFT)
  })

  it('makes the node inactive at once, and pays the stake out after the period', async () => {
    const { token, registry, alice, carol, nodeId, nodeKey, address } =
      await loadFixture(registered)
    const begin = registry.connect(alice).beginUnstake(nodeKey)
    await begin
    const unlockAt = BigInt(await time.latest()) + BigInt(unbondingPeriodSeconds)
    const begun = await continuityWord(registry)
    await expect(begin).to.emit(registry, 'UnstakeBegun').withArgs(nodeId, unlockAt, begun)
    const [state] = await registry.states([nodeId])
    expect(state?.unlockAt).to.equal(unlockAt)
    expect(state?.recordHash).to.equal(ethers.ZeroHash)
    expect(state?.stake).to.equal(minimumStake)

    await time.setNextBlockTimestamp(unlockAt)
    const withdraw = registry.connect(alice).withdrawStake(nodeKey, carol.address)
    await withdraw
    const continuity = await continuityWord(registry)
    await expect(withdraw)
      .to.emit(registry, 'StakeWithdrawn')
      .withArgs(nodeId, carol.address, minimumStake, continuity)
    await expect(withdraw).to.changeTokenBalances(
      ethers,
      token,
      [alice.address, carol.address, address],
      [0n, minimumStake, -minimumStake],
    )
    const [after] = await registry.states([nodeId])
    expect(after?.stake).to.equal(0n)
    expect(after?.registeredAt).to.equal(state?.registeredAt)
  })
})

describe('ServiceRegistry continuity', () => {
  it('starts at zero', async () => {
    const { registry } = await loadFixture(deployed)
    expect(await registry.continuity()).to.deep.equal([0n, `0x${'00'.repeat(24)}`])
  })

  it('has a head that the logs alone lead to, for every kind of event', async () => {
    const { registry, alice, bob, nodeId, nodeKey, record } = await loadFixture(registered)
    const operator = registry.connect(alice)
    await registry.connect(bob).rotateSealKey(nodeId, record, key('new'))
    await operator.addStake(nodeKey, 5n)
    await operator.beginUnstake(nodeKey)
    await time.increase(unbondingPeriodSeconds)
    await operator.withdrawStake(nodeKey, alice.address)
    const logs = await logsOf(registry)
    expect(logs.map((log) => log.eventName)).to.deep.equal([
      'Registered',
      'Updated',
      'StakeAdded',
      'UnstakeBegun',
      'StakeWithdrawn',
    ])
    const replayed = replay(logs)
    expect(replayed).to.deep.equal(await storedHead(registry))
    expect(Object.values(replayed)).to.deep.equal(await registry.continuity())
    const emitted = logs.map((log) => decodeLogHead(log.args.continuity))
    expect(emitted).to.deep.equal(logs.map((_, index) => replay(logs.slice(0, index + 1))))
  })

  it('shows a log that was dropped, reordered or moved to another block', async () => {
    const { registry, alice, nodeKey } = await loadFixture(registered)
    await registry.connect(alice).addStake(nodeKey, 5n)
    await registry.connect(alice).addStake(nodeKey, 6n)
    const [first, second, third] = await logsOf(registry)
    if (first === undefined || second === undefined || third === undefined) expect.fail('no logs')
    const { head } = await storedHead(registry)
    expect(replay([first, second, third]).head).to.equal(head)
    expect(replay([first, third]).head).not.to.equal(head)
    expect(replay([first, third, second]).head).not.to.equal(head)
    const moved = Object.create(third, { blockNumber: { value: third.blockNumber + 1 } })
    expect(replay([first, second, moved]).head).not.to.equal(head)
  })
})
