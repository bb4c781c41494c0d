import { expect } from 'chai'
import type { Contract } from 'ethers'
import { deployed, ethers, HOUR, MFT, mock, networkHelpers, ZERO } from '../support/chain.ts'
import { slotOf, termsOf, vaultOf, voucher } from '../support/channels.ts'

const { loadFixture, time } = networkHelpers
const coder = ethers.AbiCoder.defaultAbiCoder()

/** A contract of test/contracts/mocks, called by name. */
const deployMock = (name: string) => mock<Contract>(name)
const call = (contract: Contract, name: string, ...args: unknown[]) =>
  contract.getFunction(name)(...args)

/** The treasury owns all of every mock token; Alice and others hold MFT in the channels. */
async function funded() {
  const contracts = await deployed()
  const { token, channels, alice, bob } = contracts
  const mft = await token.getAddress()
  await token.connect(alice).approve(channels, ethers.MaxUint256)
  await channels.connect(alice).deposit(mft, 1_000n * MFT)
  await channels.connect(alice).open(termsOf(alice, bob, mft), 100n * MFT, 0)
  return { ...contracts, mft, address: await channels.getAddress() }
}

/** A channel of the treasury to Bob in a mock token, which holds 1000 units. */
async function openedIn(name: string) {
  const world = await loadFixture(funded)
  const { channels, treasury, bob } = world
  const hostile = await deployMock(name)
  const address = await hostile.getAddress()
  await call(hostile, 'approve', channels, ethers.MaxUint256)
  const terms = termsOf(treasury, bob, address)
  await channels.connect(treasury).open(terms, 1_000n, 0)
  const id = await channels.idOf(treasury.address, terms)
  return { ...world, hostile, hostileAddress: address, terms, id }
}

describe('PaymentChannels against hostile tokens and receivers', () => {
  it('refuses a callback that any contract but MFT makes', async () => {
    const { channels, alice, bob, mallory } = await loadFixture(funded)
    const data = coder.encode(['address', 'address', 'uint32'], [bob.address, alice.address, HOUR])
    await expect(
      channels.connect(mallory).onTransferReceived(mallory.address, mallory.address, MFT, data),
    )
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongToken')
      .withArgs(mallory.address)
  })

  it('is not drained by a token that forwards bytes of the caller’s choice', async () => {
    const world = await loadFixture(funded)
    const { channels, mallory, mft, address } = world
    const forwarding = await deployMock('ForwardingToken')
    const before = await world.token.balanceOf(address)
    // the token itself appears as the caller, as it does in every callback
    const forged = channels.interface.encodeFunctionData('onTransferReceived', [
      mallory.address,
      mallory.address,
      1_000n * MFT,
      coder.encode(['address', 'address', 'uint32'], [mallory.address, mallory.address, HOUR]),
    ])
    const own = await forwarding.getAddress()
    await expect(call(forwarding, 'forward', address, forged))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongToken')
      .withArgs(own)
    for (const token of [mft, own]) {
      const terms = { payee: mallory.address, token, signer: mallory.address, notice: HOUR }
      const id = await channels.idOf(mallory.address, terms)
      expect((await slotOf(world, id)).deposit).to.equal(0n)
    }
    expect(await world.token.balanceOf(address)).to.equal(before)
  })

  it('meets every re-entrant inflow with its guard', async () => {
    const world = await openedIn('HookedToken')
    const { channels, treasury, hostile, hostileAddress, terms, address } = world
    await call(hostile, 'approveAs', address, ethers.MaxUint256)
    const { interface: abi } = channels
    const permit = { deadline: 0, v: 0, r: ethers.ZeroHash, s: ethers.ZeroHash }
    const row = { payee: treasury.address, signer: treasury.address, amount: 1n, expectedEpoch: 0 }
    const inflows = [
      abi.encodeFunctionData('deposit', [hostileAddress, 5n]),
      abi.encodeFunctionData('depositFor', [hostileAddress, treasury.address, 5n]),
      abi.encodeFunctionData('open', [terms, 5n, 0]),
      abi.encodeFunctionData('openWithPermit', [terms, 5n, 0, permit]),
      abi.encodeFunctionData('openFromVault', [hostileAddress, HOUR, [row]]),
      abi.encodeFunctionData('onTransferReceived', [ZERO, ZERO, 1n, '0x']),
    ]
    for (const inflow of inflows) {
      for (const afterwards of [false, true]) {
        await call(hostile, 'prepare', address, inflow, afterwards)
        await expect(
          channels.connect(treasury).deposit(hostileAddress, 7n),
        ).to.be.revertedWithCustomError(channels, 'ReentrancyGuardReentrantCall')
      }
    }
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(0n)
  })

  it('credits what stays when a token pays out in the midst of a deposit', async () => {
    const world = await openedIn('HookedToken')
    const { channels, treasury, hostile, hostileAddress, address } = world
    // the token contract itself has a vault, and withdraws from it within the deposit
    await channels.connect(treasury).depositFor(hostileAddress, hostileAddress, 50n)
    const withdraw = channels.interface.encodeFunctionData('withdraw', [
      hostileAddress,
      treasury.address,
      30n,
    ])
    await call(hostile, 'prepare', address, withdraw, true)
    await channels.connect(treasury).deposit(hostileAddress, 100n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(70n)
    expect(await vaultOf(world, hostileAddress, { address: hostileAddress })).to.equal(20n)
  })

  it('lets no receiver of the coin take it twice', async () => {
    const world = await loadFixture(funded)
    const { channels, alice, address } = world
    const thief = await deployMock('Actor')
    const account = await thief.getAddress()
    await channels.connect(alice).deposit(ZERO, 50n, { value: 50n })
    await channels.connect(alice).depositFor(ZERO, account, 10n, { value: 10n })
    const withdraw = channels.interface.encodeFunctionData('withdraw', [ZERO, account, 10n])
    await call(thief, 'prepare', address, withdraw)
    await call(thief, 'execute', address, 0n, withdraw)
    expect(await call(thief, 'succeeded')).to.equal(false)
    expect(await ethers.provider.getBalance(account)).to.equal(10n)
    expect(await ethers.provider.getBalance(address)).to.equal(50n)
    expect(await vaultOf(world, ZERO, alice)).to.equal(50n)
  })

  it('reverts for a receiver that rejects the coin, who can name another', async () => {
    const world = await loadFixture(funded)
    const { channels, alice, bob } = world
    const rejecting = await deployMock('Actor')
    await call(rejecting, 'refuse')
    const account = await rejecting.getAddress()
    await channels.connect(alice).deposit(ZERO, 50n, { value: 50n })
    await expect(channels.connect(alice).withdraw(ZERO, account, 50n))
      .to.be.revertedWithCustomError(channels, 'ChannelsCoinRefused')
      .withArgs(account, 50n)
    expect(await vaultOf(world, ZERO, alice)).to.equal(50n)
    await channels.connect(alice).withdraw(ZERO, bob.address, 50n)
  })

  it('lets a payer who rejects the coin block no exit of the payee', async () => {
    const world = await loadFixture(funded)
    const { channels, alice, bob, address } = world
    const payer = await deployMock('Actor')
    await call(payer, 'refuse')
    const account = await payer.getAddress()
    const terms = { ...termsOf(alice, bob, ZERO), signer: alice.address }
    const open = channels.interface.encodeFunctionData('open', [terms, 10n, 0])
    await payer.getFunction('execute')(address, 10n, open, { value: 10n })
    const acting = Object.create(alice, { address: { value: account } })
    const row = await voucher(world, { payer: acting, terms, amount: 4n, by: alice })
    await expect(
      channels.connect(bob).closeByPayeeTo(ZERO, HOUR, [row], bob.address),
    ).to.changeEtherBalances(ethers, [channels, bob], [-4n, 4n])
    expect((await channels.vaults([ZERO], account))[0]).to.equal(6n)
  })

  it('lets a token that blocks the payer block no claim and no close of the payee', async () => {
    const world = await openedIn('BlockingToken')
    const { channels, treasury, bob, hostile, hostileAddress, terms } = world
    await call(hostile, 'block_', treasury.address)
    const row = await voucher(world, { payer: treasury, terms, amount: 400n })
    await channels.connect(bob).closeByPayeeTo(hostileAddress, HOUR, [row], bob.address)
    expect(await call(hostile, 'balanceOf', bob.address)).to.equal(400n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(600n)
    await expect(channels.connect(treasury).withdraw(hostileAddress, treasury.address, 600n))
      .to.be.revertedWithCustomError(hostile, 'Blocked')
      .withArgs(treasury.address)
  })

  it('lets a token that blocks the payee block no exit of the payer', async () => {
    const world = await openedIn('BlockingToken')
    const { channels, treasury, bob, hostile, hostileAddress, terms } = world
    await call(hostile, 'block_', bob.address)
    await channels.connect(treasury).requestClose(terms)
    const row = await voucher(world, { payer: treasury, terms, amount: 400n })
    await channels.claim(bob.address, hostileAddress, HOUR, [row])
    await time.increase(HOUR)
    const before = (await call(hostile, 'balanceOf', treasury.address)) as bigint
    await channels.connect(treasury).finalizeTo(terms, treasury.address)
    expect(await call(hostile, 'balanceOf', treasury.address)).to.equal(before + 600n)
    expect(await vaultOf(world, hostileAddress, bob)).to.equal(400n)
  })

  it('works with a token that returns nothing', async () => {
    const world = await openedIn('NoReturnToken')
    const { channels, treasury, bob, hostile, hostileAddress, terms } = world
    const row = await voucher(world, { payer: treasury, terms, amount: 400n })
    await channels.connect(bob).claimTo(hostileAddress, HOUR, [row], bob.address)
    expect(await call(hostile, 'balanceOf', bob.address)).to.equal(400n)
  })

  it('refuses a token that returns false', async () => {
    const { channels, treasury } = await loadFixture(funded)
    const token = await (await deployMock('FalseReturnToken')).getAddress()
    await expect(channels.connect(treasury).deposit(token, 5n))
      .to.be.revertedWithCustomError(channels, 'SafeERC20FailedOperation')
      .withArgs(token)
  })

  it('keeps a hostile token’s trouble away from MFT', async () => {
    const world = await openedIn('HookedToken')
    const { token, channels, alice, mft, address, hostileAddress } = world
    expect(await token.balanceOf(address)).to.equal(1_100n * MFT)
    expect(await vaultOf(world, mft, alice)).to.equal(1_000n * MFT)
    expect(await vaultOf(world, hostileAddress, alice)).to.equal(0n)
    await channels.connect(alice).withdraw(mft, alice.address, 1_000n * MFT)
    expect(await token.balanceOf(address)).to.equal(100n * MFT)
  })

  it('has no receive function that a payee could be paid into by mistake', async () => {
    const { alice, address } = await loadFixture(funded)
    await expect(
      alice.sendTransaction({ to: address, value: 1n, data: '0x12345678' }),
    ).to.be.revert(ethers)
  })
})
