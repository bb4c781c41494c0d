import { expect } from 'chai'
import type { Contract } from 'ethers'
import { deployed, ethers, HOUR, MFT, mock, networkHelpers, ZERO } from '../support/chain.ts'
import { ledger, moved, termsOf, vaultOf, voucher } from '../support/channels.ts'

const { loadFixture } = networkHelpers

async function ready() {
  const contracts = await deployed()
  const { token, channels, alice } = contracts
  await token.connect(alice).approve(channels, ethers.MaxUint256)
  return { ...contracts, mft: await token.getAddress(), address: await channels.getAddress() }
}

describe('PaymentChannels vault', () => {
  it('refuses deposits of nothing, for nobody, or with the wrong coin', async () => {
    const { channels, alice, mft } = await loadFixture(ready)
    const owner = channels.connect(alice)
    await expect(owner.deposit(mft, 0n)).to.be.revertedWithCustomError(
      channels,
      'ChannelsZeroAmount',
    )
    await expect(owner.deposit(ZERO, 0n)).to.be.revertedWithCustomError(
      channels,
      'ChannelsZeroAmount',
    )
    await expect(owner.depositFor(mft, ZERO, 1n)).to.be.revertedWithCustomError(
      channels,
      'ChannelsZeroAddress',
    )
    await expect(owner.deposit(mft, 1n, { value: 1n }))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongValue')
      .withArgs(1n, 0n)
    await expect(owner.deposit(ZERO, 2n, { value: 1n }))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongValue')
      .withArgs(1n, 2n)
  })

  it('refuses a token that is no contract', async () => {
    const { channels, alice, bob } = await loadFixture(ready)
    await expect(channels.connect(alice).deposit(bob.address, 1n)).to.be.revert(ethers)
  })

  it('refuses to pay out more than there is, nothing, or to nobody', async () => {
    const { channels, alice, mft, address } = await loadFixture(ready)
    const owner = channels.connect(alice)
    await owner.deposit(mft, 5n)
    await expect(owner.withdraw(mft, alice.address, 6n))
      .to.be.revertedWithCustomError(channels, 'ChannelsInsufficientVault')
      .withArgs(5n, 6n)
    await expect(owner.withdraw(ZERO, alice.address, 1n))
      .to.be.revertedWithCustomError(channels, 'ChannelsInsufficientVault')
      .withArgs(0n, 1n)
    await expect(owner.withdraw(mft, alice.address, 0n)).to.be.revertedWithCustomError(
      channels,
      'ChannelsZeroAmount',
    )
    for (const to of [ZERO, address]) {
      await expect(owner.withdraw(mft, to, 1n))
        .to.be.revertedWithCustomError(channels, 'ChannelsBadRecipient')
        .withArgs(to)
    }
  })

  it('wraps no number, whatever a token says of its balances', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob } = world
    const jumping = await mock<Contract>('JumpingToken')
    const token = await jumping.getAddress()
    const say = jumping.getFunction('say')
    const deposit = () => channels.connect(alice).depositFor(token, bob.address, 1n)

    await say(5n, ethers.MaxUint256)
    await expect(deposit(), 'a balance that falls by one').to.be.revertedWithPanic(0x11)
    await say(0n, ethers.MaxUint256)
    await deposit()
    await say(0n, 1n)
    await expect(deposit(), 'one more than the most').to.be.revertedWithPanic(0x11)

    const terms = termsOf(alice, bob, token)
    await channels.connect(alice).open(terms, 1n, 0)
    const row = await voucher(world, { payer: alice, terms, amount: 1n })
    await expect(
      channels.claim(bob.address, token, HOUR, [row]),
      'a claim into a full vault',
    ).to.be.revertedWithPanic(0x11)
    expect(await vaultOf(world, token, bob)).to.equal(ethers.MaxUint256)
  })

  it('takes no coin that nobody is credited for', async () => {
    const { alice, address } = await loadFixture(ready)
    await expect(alice.sendTransaction({ to: address, value: 1n })).to.be.revert(ethers)
  })

  it('credits a deposit: event, vault and both balances', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob, mft } = world
    const before = await ledger(world, mft, [alice, bob])
    await expect(channels.connect(alice).deposit(mft, 3n * MFT))
      .to.emit(channels, 'Deposited')
      .withArgs(alice.address, mft, 3n * MFT)
    await expect(channels.connect(alice).depositFor(mft, bob.address, 2n))
      .to.emit(channels, 'Deposited')
      .withArgs(bob.address, mft, 2n)
    await expect(channels.connect(alice).depositFor(mft, bob.address, 5n))
      .to.emit(channels, 'Deposited')
      .withArgs(bob.address, mft, 7n)
    expect(moved(before, await ledger(world, mft, [alice, bob]))).to.deep.equal([
      3n * MFT + 7n,
      -3n * MFT - 7n,
      3n * MFT,
      0n,
      7n,
    ])
  })

  it('pays out to whom the owner names: event, vault and both balances', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob, mft } = world
    await channels.connect(alice).deposit(mft, 9n)
    const before = await ledger(world, mft, [alice, bob])
    await expect(channels.connect(alice).withdraw(mft, bob.address, 4n))
      .to.emit(channels, 'Withdrawn')
      .withArgs(alice.address, mft, bob.address, 5n)
    expect(moved(before, await ledger(world, mft, [alice, bob]))).to.deep.equal([
      -4n,
      0n,
      -4n,
      4n,
      0n,
    ])
  })

  it('keeps the coin apart from tokens', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob, mft } = world
    const deposit = channels.connect(alice).deposit(ZERO, 8n, { value: 8n })
    await expect(deposit).to.changeEtherBalances(ethers, [alice, channels], [-8n, 8n])
    expect(await vaultOf(world, ZERO, alice)).to.equal(8n)
    expect(await vaultOf(world, mft, alice)).to.equal(0n)
    const withdraw = channels.connect(alice).withdraw(ZERO, bob.address, 8n)
    await expect(withdraw)
      .to.emit(channels, 'Withdrawn')
      .withArgs(alice.address, ZERO, bob.address, 0n)
    await expect(withdraw).to.changeEtherBalances(ethers, [channels, bob], [-8n, 8n])
    expect(await channels.vaults([ZERO, mft], alice.address)).to.deep.equal([0n, 0n])
  })

  it('names its token and its bounds', async () => {
    const { channels, mft } = await loadFixture(ready)
    expect(await channels.immutables()).to.deep.equal([mft, 3_600n, 2_592_000n])
  })
})
