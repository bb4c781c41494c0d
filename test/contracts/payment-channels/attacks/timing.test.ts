import { expect } from 'chai'
import { HOUR, MFT, networkHelpers } from '../../support/chain.ts'
import { slotOf, vaultOf } from '../../support/channels.ts'
import { DEPOSIT, fromAlice, opened } from '../../support/opened.ts'

const { loadFixture, time } = networkHelpers

describe('third party resets a timer', () => {
  it('cannot: nobody but the payer starts, stops or moves it', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mallory, mft, terms, id } = world
    await channels.connect(alice).requestClose(terms)
    const { closesAt } = await slotOf(world, id)
    await time.increase(HOUR / 2)
    for (const other of [bob, mallory]) {
      const ofOther = await channels.idOf(other.address, terms)
      for (const name of ['requestClose', 'cancelClose', 'finalize'] as const) {
        await expect(channels.connect(other)[name](terms))
          .to.be.revertedWithCustomError(channels, 'ChannelsNotOpen')
          .withArgs(ofOther)
      }
    }
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, MFT)])
    await channels.connect(bob).claimTo(mft, HOUR, [await fromAlice(world, 2n * MFT)], bob.address)
    expect((await slotOf(world, id)).closesAt).to.equal(closesAt)
  })

  it('cannot: a top-up while closing is refused, and one before it has no timer to move', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, mallory, token, terms, id } = world
    await token.connect(mallory).approve(channels, MFT)
    // his own channel of these very terms, with a deposit of dust
    await channels.connect(mallory).open(terms, 1n, 0)
    await channels.connect(alice).requestClose(terms)
    const { closesAt } = await slotOf(world, id)
    await channels.connect(mallory).open(terms, 1n, 0)
    await expect(channels.connect(alice).open(terms, 1n, 0))
      .to.be.revertedWithCustomError(channels, 'ChannelsClosing')
      .withArgs(id, closesAt)
    expect((await slotOf(world, id)).closesAt).to.equal(closesAt)
  })
})

describe('claim against finalize race', () => {
  for (const claimFirst of [true, false]) {
    const first = claimFirst ? 'claim' : 'finalize'
    it(`ends with what the first of the two left, when the ${first} comes first`, async () => {
      const world = await loadFixture(opened)
      const { channels, alice, bob, mft, terms } = world
      await channels.connect(alice).requestClose(terms)
      await time.increase(HOUR)
      const rows = [await fromAlice(world, 40n * MFT)]
      const claims = () => channels.connect(bob).claim(bob.address, mft, HOUR, rows)
      const finalizes = () => channels.connect(alice).finalize(terms)
      await (claimFirst ? claims() : finalizes())
      await (claimFirst ? finalizes() : claims())
      const paid = claimFirst ? 40n * MFT : 0n
      expect(await vaultOf(world, mft, bob)).to.equal(paid)
      expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT - paid)
    })
  }

  it('cannot be lost by the payee before the notice is over', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft, terms, id } = world
    await channels.connect(alice).requestClose(terms)
    const { closesAt } = await slotOf(world, id)
    await time.setNextBlockTimestamp(closesAt - 2n)
    await expect(channels.connect(alice).finalize(terms))
      .to.be.revertedWithCustomError(channels, 'ChannelsNoticeRunning')
      .withArgs(id, closesAt, closesAt - 2n)
    await time.setNextBlockTimestamp(closesAt - 1n)
    await channels.claim(bob.address, mft, HOUR, [await fromAlice(world, 40n * MFT)])
    await channels.connect(alice).finalize(terms)
    expect(await vaultOf(world, mft, bob)).to.equal(40n * MFT)
    expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT - 40n * MFT)
  })
})
