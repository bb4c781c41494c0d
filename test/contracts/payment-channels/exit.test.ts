import { expect } from 'chai'
import { ethers, HOUR, MFT, networkHelpers, ZERO } from '../support/chain.ts'
import { ledger, moved, slotOf, termsOf, vaultOf } from '../support/channels.ts'
import { DEPOSIT, fromAlice, opened } from '../support/opened.ts'

const { loadFixture, time } = networkHelpers
const CLOSED = { deposit: 0n, claimed: 0n, closesAt: 0n, epoch: 1n }

describe('PaymentChannels exit of the payer', () => {
  it('is for the payer of an open channel only', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mallory, terms } = world
    for (const caller of [bob, mallory]) {
      const id = await channels.idOf(caller.address, terms)
      const as = channels.connect(caller)
      for (const attempt of [
        as.requestClose(terms),
        as.cancelClose(terms),
        as.finalize(terms),
        as.finalizeTo(terms, caller.address),
      ]) {
        await expect(attempt)
          .to.be.revertedWithCustomError(channels, 'ChannelsNotOpen')
          .withArgs(id)
      }
    }
  })

  it('cannot be asked for twice, nor cancelled or finalized when not asked for', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, terms, id } = world
    const payer = channels.connect(alice)
    for (const attempt of [payer.cancelClose(terms), payer.finalize(terms)]) {
      await expect(attempt)
        .to.be.revertedWithCustomError(channels, 'ChannelsNotClosing')
        .withArgs(id)
    }
    await payer.requestClose(terms)
    const closesAt = BigInt(await time.latest()) + BigInt(HOUR)
    await expect(payer.requestClose(terms))
      .to.be.revertedWithCustomError(channels, 'ChannelsClosing')
      .withArgs(id, closesAt)
  })

  it('cannot be finalized before the notice has passed, nor to nobody', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, terms, id } = world
    const payer = channels.connect(alice)
    await payer.requestClose(terms)
    const closesAt = BigInt(await time.latest()) + BigInt(HOUR)
    await time.setNextBlockTimestamp(closesAt - 1n)
    await expect(payer.finalize(terms))
      .to.be.revertedWithCustomError(channels, 'ChannelsNoticeRunning')
      .withArgs(id, closesAt, closesAt - 1n)
    await time.increaseTo(closesAt)
    for (const to of [ZERO, await channels.getAddress()]) {
      await expect(payer.finalizeTo(terms, to))
        .to.be.revertedWithCustomError(channels, 'ChannelsBadRecipient')
        .withArgs(to)
    }
    await payer.finalize(terms)
    await expect(payer.finalize(terms)).to.be.revertedWithCustomError(channels, 'ChannelsNotOpen')
  })

  it('can be finalized in the very second in which the notice ends', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, mft, terms, id } = world
    await channels.connect(alice).requestClose(terms)
    await time.setNextBlockTimestamp((await slotOf(world, id)).closesAt)
    await channels.connect(alice).finalize(terms)
    expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT)
  })

  it('asks and cancels: events and slot', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft, terms, id } = world
    const payer = channels.connect(alice)
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, 3n)])
    const request = payer.requestClose(terms)
    await request
    const closesAt = BigInt(await time.latest()) + BigInt(HOUR)
    await expect(request).to.emit(channels, 'CloseRequested').withArgs(id, bob.address, closesAt)
    expect(await slotOf(world, id)).to.deep.equal({
      deposit: DEPOSIT,
      claimed: 3n,
      closesAt,
      epoch: 1n,
    })
    await expect(payer.cancelClose(terms)).to.emit(channels, 'CloseCancelled').withArgs(id)
    expect(await slotOf(world, id)).to.deep.equal({
      deposit: DEPOSIT,
      claimed: 3n,
      closesAt: 0n,
      epoch: 1n,
    })
    // the notice starts anew
    await time.increase(2 * HOUR)
    await payer.requestClose(terms)
    await expect(payer.finalize(terms)).to.be.revertedWithCustomError(
      channels,
      'ChannelsNoticeRunning',
    )
  })

  it('ends in the vault: event, slot, custody', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft, terms, id, people } = world
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, 5n * MFT)])
    await channels.connect(alice).requestClose(terms)
    await time.increase(HOUR)
    const before = await ledger(world, mft, people)
    await expect(channels.connect(alice).finalize(terms))
      .to.emit(channels, 'Closed')
      .withArgs(id, bob.address, 5n * MFT, DEPOSIT - 5n * MFT)
    expect(await slotOf(world, id)).to.deep.equal(CLOSED)
    expect(moved(before, await ledger(world, mft, people))).to.deep.equal([
      0n,
      0n,
      DEPOSIT - 5n * MFT,
      0n,
      0n,
      0n,
      0n,
    ])
  })

  it('ends in a wallet, in a token and in the coin', async () => {
    const world = await loadFixture(opened)
    const { token, channels, alice, bob, carol, terms } = world
    const coin = termsOf(alice, bob, ZERO)
    await channels.connect(alice).open(coin, 10n, 0, { value: 10n })
    await channels.connect(alice).requestClose(terms)
    await channels.connect(alice).requestClose(coin)
    await time.increase(HOUR)
    await expect(channels.connect(alice).finalizeTo(terms, carol.address)).to.changeTokenBalances(
      ethers,
      token,
      [channels, carol],
      [-DEPOSIT, DEPOSIT],
    )
    await expect(channels.connect(alice).finalizeTo(coin, carol.address)).to.changeEtherBalances(
      ethers,
      [channels, carol],
      [-10n, 10n],
    )
  })
})
