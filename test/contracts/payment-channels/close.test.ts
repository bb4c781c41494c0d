import { expect } from 'chai'
import { ethers, HOUR, MFT, networkHelpers, ZERO } from '../support/chain.ts'
import { ledger, moved, release, slotOf, termsOf, vaultOf, voucher } from '../support/channels.ts'
import { DEPOSIT, fromAlice, fromCarol, opened, type Opened as World } from '../support/opened.ts'

const { loadFixture } = networkHelpers
const CLOSED = { deposit: 0n, claimed: 0n, closesAt: 0n, epoch: 1n }

describe('PaymentChannels.closeByPayee', () => {
  it('lets nobody close a channel of another payee', async () => {
    const world = await loadFixture(opened)
    const { channels, mallory, mft } = world
    const id = await channels.idOf(world.alice.address, { ...world.terms, payee: mallory.address })
    await expect(channels.connect(mallory).closeByPayee(mft, HOUR, [await fromAlice(world, MFT)]))
      .to.emit(channels, 'Skipped')
      .withArgs(id, mallory.address, 1)
    expect((await slotOf(world, world.id)).deposit).to.equal(DEPOSIT)
  })

  it('closes once, and a second row of the same channel is skipped', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft } = world
    const rows = [await fromAlice(world, 5n * MFT), await fromAlice(world, 8n * MFT)]
    const close = channels.connect(bob).closeByPayee(mft, HOUR, rows)
    await expect(close)
      .to.emit(channels, 'Closed')
      .withArgs(world.id, bob.address, 5n * MFT, DEPOSIT - 5n * MFT)
    await expect(close).to.emit(channels, 'Skipped').withArgs(world.id, bob.address, 1)
    expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT - 5n * MFT)
  })

  it('closes without a payment when there is nothing new, the signature unread', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft } = world
    const row = await fromAlice(world, 5n * MFT)
    await channels.claim(bob.address, mft, HOUR, [row])
    const unsigned = { ...row, r: ethers.ZeroHash, vs: ethers.ZeroHash }
    await expect(channels.connect(bob).closeByPayee(mft, HOUR, [unsigned]))
      .to.emit(channels, 'Closed')
      .withArgs(world.id, bob.address, 5n * MFT, DEPOSIT - 5n * MFT)
    expect(await vaultOf(world, mft, bob)).to.equal(5n * MFT)
    expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT - 5n * MFT)
  })

  it('pays each side into his vault: result, events, slots, custody', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft, people } = world
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, 2n * MFT)])
    const rows = [await fromAlice(world, 5n * MFT), await fromCarol(world, 7n * MFT)]
    const before = await ledger(world, mft, people)
    const payee = channels.connect(bob)
    expect(await payee.closeByPayee.staticCall(mft, HOUR, rows)).to.equal(10n * MFT)
    const close = payee.closeByPayee(mft, HOUR, rows)
    await expect(close)
      .to.emit(channels, 'Closed')
      .withArgs(world.id, bob.address, 5n * MFT, DEPOSIT - 5n * MFT)
    await expect(close).not.to.emit(channels, 'Claimed')
    expect(await slotOf(world, world.id)).to.deep.equal(CLOSED)
    expect(await slotOf(world, world.carolsId)).to.deep.equal(CLOSED)
    expect(moved(before, await ledger(world, mft, people))).to.deep.equal([
      0n,
      0n,
      DEPOSIT - 5n * MFT,
      0n,
      10n * MFT,
      0n,
      DEPOSIT - 7n * MFT,
    ])
  })

  it('pays the payee in his wallet and the payer in his vault, on demand', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft, people } = world
    const rows = [await fromAlice(world, 5n * MFT)]
    await expect(channels.connect(bob).closeByPayeeTo(mft, HOUR, rows, ZERO))
      .to.be.revertedWithCustomError(channels, 'ChannelsBadRecipient')
      .withArgs(ZERO)
    const before = await ledger(world, mft, people)
    await channels.connect(bob).closeByPayeeTo(mft, HOUR, rows, bob.address)
    expect(moved(before, await ledger(world, mft, people))).to.deep.equal([
      -5n * MFT,
      0n,
      DEPOSIT - 5n * MFT,
      5n * MFT,
      0n,
      0n,
      0n,
    ])
  })

  it('closes a channel in the coin', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob } = world
    const terms = termsOf(alice, bob, ZERO)
    await channels.connect(alice).open(terms, 10n, 0, { value: 10n })
    const row = await voucher(world, { payer: alice, terms, amount: 4n })
    await expect(
      channels.connect(bob).closeByPayeeTo(ZERO, HOUR, [row], bob.address),
    ).to.changeEtherBalance(ethers, channels, -4n)
    expect(await vaultOf(world, ZERO, alice)).to.equal(6n)
  })
})

describe('PaymentChannels.closeWithRelease', () => {
  const close = async (world: World, amount: bigint, changes = {}) => {
    const { channels, alice, bob: by, terms } = world
    const { r, vs } = await release(world, { payer: alice, terms, amount, by, ...changes })
    return channels.connect(alice).closeWithRelease(terms, amount, r, vs)
  }

  it('refuses more than the deposit, and a caller who is not the payer', async () => {
    const world = await loadFixture(opened)
    const { channels, mallory, terms, id } = world
    await expect(close(world, DEPOSIT + 1n))
      .to.be.revertedWithCustomError(channels, 'ChannelsAboveDeposit')
      .withArgs(id, DEPOSIT + 1n, DEPOSIT)
    await expect(
      channels.connect(mallory).closeWithRelease(terms, 0n, ethers.ZeroHash, ethers.ZeroHash),
    )
      .to.be.revertedWithCustomError(channels, 'ChannelsNotOpen')
      .withArgs(await channels.idOf(mallory.address, terms))
  })

  it('pays each side into his vault at once, also while closing', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft, people } = world
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, 2n * MFT)])
    await channels.connect(alice).requestClose(world.terms)
    const before = await ledger(world, mft, people)
    await expect(close(world, 6n * MFT))
      .to.emit(channels, 'Closed')
      .withArgs(world.id, bob.address, 6n * MFT, DEPOSIT - 6n * MFT)
    expect(await slotOf(world, world.id)).to.deep.equal(CLOSED)
    expect(moved(before, await ledger(world, mft, people))).to.deep.equal([
      0n,
      0n,
      DEPOSIT - 6n * MFT,
      0n,
      4n * MFT,
      0n,
      0n,
    ])
  })

  it('takes nothing back that was claimed before', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft } = world
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, 8n * MFT)])
    await expect(close(world, 6n * MFT))
      .to.emit(channels, 'Closed')
      .withArgs(world.id, bob.address, 8n * MFT, DEPOSIT - 8n * MFT)
    expect(await vaultOf(world, mft, bob)).to.equal(8n * MFT)
  })

  it('gives the payee all of the deposit when he and the payer agree on that', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft } = world
    await expect(close(world, DEPOSIT))
      .to.emit(channels, 'Closed')
      .withArgs(world.id, bob.address, DEPOSIT, 0n)
    expect(await vaultOf(world, mft, bob)).to.equal(DEPOSIT)
    expect(await vaultOf(world, mft, alice)).to.equal(0n)
  })
})
