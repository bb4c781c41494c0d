import { expect } from 'chai'
import { deployed, ethers, FUNDS, MFT, networkHelpers, parameters, ZERO } from '../support/chain.ts'
import { continuityWord, hashRecord } from '../support/continuity.ts'
import { key, recordOf, registerNode, signature } from '../support/nodes.ts'
import { permitOf } from '../support/permits.ts'

const { loadFixture } = networkHelpers
const { minimumStake } = parameters
const coder = ethers.AbiCoder.defaultAbiCoder()
const RECORD =
  'tuple(address manager,address payee,bytes32 sealKey,bytes multiaddrs,bytes metadata)'
const encodeRegistration = (...values: unknown[]) =>
  coder.encode(['bytes32', RECORD, 'bytes'], values)

/** Alice has allowed the registry everything. */
async function ready() {
  const contracts = await deployed()
  const { token, registry, alice, bob, carol } = contracts
  await token.connect(alice).approve(registry, ethers.MaxUint256)
  return {
    ...contracts,
    record: recordOf(bob, carol),
    nodeId: await registry.nodeIdOf(alice.address, key('node')),
    address: await registry.getAddress(),
  }
}

describe('ServiceRegistry registration', () => {
  it('refuses a deployment whose unbonding period would overflow, or without a minimum stake', async () => {
    const { token, registry } = await loadFixture(ready)
    const factory = await ethers.getContractFactory('ServiceRegistry')
    const year = 365 * 86_400
    await expect(factory.deploy(token, 1n, year + 1))
      .to.be.revertedWithCustomError(registry, 'RegistryBadUnbonding')
      .withArgs(year + 1, year)
    await expect(factory.deploy(token, 0n, year))
      .to.be.revertedWithCustomError(registry, 'RegistryBadAmount')
      .withArgs(0n)
    await factory.deploy(token, 1n, year)
  })

  it('refuses a stake below the minimum', async () => {
    const { registry, alice, record } = await loadFixture(ready)
    await expect(
      registry.connect(alice).register(key('node'), record, minimumStake - 1n, signature),
    )
      .to.be.revertedWithCustomError(registry, 'RegistryStakeTooLow')
      .withArgs(minimumStake - 1n, minimumStake)
  })

  it('refuses a zero node key and a zero seal key', async () => {
    const { registry, alice, record } = await loadFixture(ready)
    const register = registry.connect(alice).register
    await expect(
      register(ethers.ZeroHash, record, minimumStake, signature),
    ).to.be.revertedWithCustomError(registry, 'RegistryZeroKey')
    await expect(
      register(key('node'), { ...record, sealKey: ethers.ZeroHash }, minimumStake, signature),
    ).to.be.revertedWithCustomError(registry, 'RegistryZeroKey')
  })

  it('refuses a zero manager and a zero payee', async () => {
    const { registry, alice, record } = await loadFixture(ready)
    for (const change of [{ manager: ZERO }, { payee: ZERO }]) {
      await expect(
        registry
          .connect(alice)
          .register(key('node'), { ...record, ...change }, minimumStake, signature),
      ).to.be.revertedWithCustomError(registry, 'RegistryZeroAddress')
    }
  })

  it('refuses addresses and metadata over 512 bytes, and takes 512', async () => {
    const { registry, alice, record } = await loadFixture(ready)
    const register = registry.connect(alice).register
    const long = `0x${'61'.repeat(513)}`
    const full = `0x${'61'.repeat(512)}`
    for (const change of [{ multiaddrs: long }, { metadata: long }]) {
      await expect(register(key('node'), { ...record, ...change }, minimumStake, signature))
        .to.be.revertedWithCustomError(registry, 'RegistryTooLong')
        .withArgs(513, 512)
    }
    await register(
      key('node'),
      { ...record, multiaddrs: full, metadata: full },
      minimumStake,
      signature,
    )
  })

  it('refuses a signature that is not 64 bytes long', async () => {
    const { registry, alice, record } = await loadFixture(ready)
    for (const length of [0, 63, 65]) {
      await expect(
        registry
          .connect(alice)
          .register(key('node'), record, minimumStake, `0x${'11'.repeat(length)}`),
      )
        .to.be.revertedWithCustomError(registry, 'RegistryBadSignatureLength')
        .withArgs(length)
    }
  })

  it('refuses to register an id twice, even after its stake was withdrawn', async () => {
    const { registry, alice, record, nodeId } = await loadFixture(ready)
    const operator = registry.connect(alice)
    const register = () => operator.register(key('node'), record, minimumStake, signature)
    await register()
    await expect(register())
      .to.be.revertedWithCustomError(registry, 'RegistryAlreadyRegistered')
      .withArgs(nodeId)
    await operator.beginUnstake(key('node'))
    await networkHelpers.time.increase(parameters.unbondingPeriodSeconds)
    await operator.withdrawStake(key('node'), alice.address)
    await expect(register())
      .to.be.revertedWithCustomError(registry, 'RegistryAlreadyRegistered')
      .withArgs(nodeId)
  })

  it('refuses an operator without money or allowance', async () => {
    const { token, registry, mallory, record, address } = await loadFixture(ready)
    await expect(registry.connect(mallory).register(key('node'), record, minimumStake, signature))
      .to.be.revertedWithCustomError(token, 'ERC20InsufficientAllowance')
      .withArgs(address, 0n, minimumStake)
  })

  it('refuses a forged onTransferReceived', async () => {
    const { registry, mallory, record } = await loadFixture(ready)
    const data = encodeRegistration(key('node'), record, signature)
    await expect(
      registry
        .connect(mallory)
        .onTransferReceived(mallory.address, mallory.address, minimumStake, data),
    )
      .to.be.revertedWithCustomError(registry, 'RegistryWrongToken')
      .withArgs(mallory.address)
  })

  it('keeps one key apart for two operators', async () => {
    const { token, registry, alice, mallory, record } = await loadFixture(ready)
    await token.connect(mallory).approve(registry, minimumStake)
    await registry.connect(alice).register(key('node'), record, minimumStake, signature)
    await registry.connect(mallory).register(key('node'), record, minimumStake, signature)
    expect(await registry.nodeIdOf(alice.address, key('node'))).not.to.equal(
      await registry.nodeIdOf(mallory.address, key('node')),
    )
  })

  it('registers by allowance: event, state and both balances', async () => {
    const { token, registry, alice, record, nodeId, address } = await loadFixture(ready)
    const stake = minimumStake + 5n
    const operator = registry.connect(alice)
    expect(await operator.register.staticCall(key('node'), record, stake, signature)).to.equal(
      nodeId,
    )
    const transaction = await operator.register(key('node'), record, stake, signature)
    const continuity = await continuityWord(registry)
    await expect(transaction)
      .to.emit(registry, 'Registered')
      .withArgs(
        nodeId,
        alice.address,
        key('node'),
        Object.values(record),
        signature,
        stake,
        continuity,
      )
    await expect(transaction).to.changeTokenBalances(
      ethers,
      token,
      [alice.address, address],
      [-stake, stake],
    )
    const block = await transaction.getBlock()
    const [state] = await registry.states([nodeId])
    expect(state).to.deep.equal([
      stake,
      BigInt(block?.timestamp ?? 0),
      BigInt(block?.number ?? 0),
      0n,
      hashRecord(record).recordHash,
    ])
    expect(await registry.hashesOf(record)).to.deep.equal(Object.values(hashRecord(record)))
    expect(nodeId).to.equal(
      ethers.keccak256(coder.encode(['address', 'bytes32'], [alice.address, key('node')])),
    )
  })

  it('registers with a permit, and also when somebody submitted the permit first', async () => {
    const contracts = await loadFixture(ready)
    const { token, registry, carol, record, address } = contracts
    for (const name of ['first', 'second']) {
      const { deadline, v, r, s } = await permitOf(contracts, {
        owner: carol,
        spender: address,
        value: minimumStake,
      })
      if (name === 'second')
        await token.permit(carol.address, address, minimumStake, deadline, v, r, s)
      await expect(
        registry
          .connect(carol)
          .registerWithPermit(key(name), record, minimumStake, signature, { deadline, v, r, s }),
      ).to.changeTokenBalances(
        ethers,
        token,
        [carol.address, address],
        [-minimumStake, minimumStake],
      )
      const nodeId = await registry.nodeIdOf(carol.address, key(name))
      expect((await registry.states([nodeId]))[0]?.stake).to.equal(minimumStake)
    }
    expect(await token.balanceOf(carol.address)).to.equal(FUNDS - 2n * minimumStake)
  })

  it('registers by transferAndCall, for the account whose tokens come', async () => {
    const { token, registry, carol, record, address } = await loadFixture(ready)
    const data = encodeRegistration(key('node'), record, signature)
    const transaction = await token
      .connect(carol)
      ['transferAndCall(address,uint256,bytes)'](address, minimumStake, data)
    const nodeId = await registry.nodeIdOf(carol.address, key('node'))
    await expect(transaction).to.emit(registry, 'Registered')
    await expect(transaction).to.changeTokenBalances(
      ethers,
      token,
      [carol.address, address],
      [-minimumStake, minimumStake],
    )
    const [state] = await registry.states([nodeId])
    expect(state?.stake).to.equal(minimumStake)
    expect(state?.recordHash).to.equal(hashRecord(record).recordHash)
  })

  it('refuses a transferAndCall below the minimum, or with other bytes', async () => {
    const { token, registry, treasury, record, address } = await loadFixture(ready)
    const send = token.connect(treasury)['transferAndCall(address,uint256,bytes)']
    const data = encodeRegistration(key('node'), record, signature)
    await expect(send(address, 1n, data))
      .to.be.revertedWithCustomError(registry, 'RegistryStakeTooLow')
      .withArgs(1n, minimumStake)
    await expect(send(address, minimumStake, '0x1234')).to.be.revert(ethers)
    await expect(send(address, MFT, '0x')).to.be.revert(ethers)
  })

  it('refuses a stake over 96 bits', async () => {
    const { registry, mallory, record } = await loadFixture(ready)
    // MFT has no such amount: an account stands for the token
    const other = await ethers.deployContract('ServiceRegistry', [mallory.address, 1n, 1n])
    const data = encodeRegistration(key('node'), record, signature)
    const call = (other.connect(mallory) as typeof registry).onTransferReceived
    await expect(call(mallory.address, mallory.address, 2n ** 96n, data))
      .to.be.revertedWithCustomError(registry, 'RegistryBadAmount')
      .withArgs(2n ** 96n)
    await call(mallory.address, mallory.address, 2n ** 96n - 1n, data)
    await expect(
      call(mallory.address, mallory.address, 1n, key('node')),
      'what is added later',
    ).to.be.revertedWithPanic(0x11)
  })

  it('answers zeros for an id nobody registered', async () => {
    const { registry } = await loadFixture(ready)
    expect(await registry.states([key('nobody')])).to.deep.equal([
      [0n, 0n, 0n, 0n, ethers.ZeroHash],
    ])
    expect(await registry.states([])).to.deep.equal([])
  })

  it('names its token and its parameters', async () => {
    const contracts = await loadFixture(ready)
    await registerNode(contracts)
    const { registry, token } = contracts
    expect(await registry.token()).to.equal(await token.getAddress())
    expect(await registry.minimumStake()).to.equal(minimumStake)
    expect(await registry.unbondingPeriod()).to.equal(parameters.unbondingPeriodSeconds)
  })
})
