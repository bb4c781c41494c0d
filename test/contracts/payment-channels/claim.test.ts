import { expect } from 'chai'
import { ethers, HOUR, MFT, networkHelpers, ZERO } from '../support/chain.ts'
import {
  type ClaimRow,
  ledger,
  moved,
  slotOf,
  termsOf,
  vaultOf,
  voucher,
} from '../support/channels.ts'
import { DEPOSIT, fromAlice, fromCarol, opened, type Opened as World } from '../support/opened.ts'

const { loadFixture, time } = networkHelpers
const NOT_OPEN = 1
const NOTHING_NEW = 2

const claim = ({ channels, mallory, bob, mft }: World, rows: ClaimRow[]) =>
  channels.connect(mallory).claim(bob.address, mft, HOUR, rows)

async function expectSkipped(world: World, row: ClaimRow, reason: number, id = world.id) {
  const before = await slotOf(world, id)
  const vault = await vaultOf(world, world.mft, world.bob)
  const transaction = claim(world, [row])
  await expect(transaction)
    .to.emit(world.channels, 'Skipped')
    .withArgs(id, world.bob.address, reason)
  await expect(transaction).not.to.emit(world.channels, 'Claimed')
  expect(await slotOf(world, id)).to.deep.equal(before)
  expect(await vaultOf(world, world.mft, world.bob)).to.equal(vault)
}

describe('PaymentChannels.claim', () => {
  it('skips a channel that was never opened', async () => {
    const world = await loadFixture(opened)
    const row = await fromAlice(world, MFT)
    const strange = { ...row, payer: world.mallory.address }
    const id = await world.channels.idOf(world.mallory.address, world.terms)
    await expectSkipped(world, strange, NOT_OPEN, id)
  })

  it('skips what has nothing new, without a look at the signature', async () => {
    const world = await loadFixture(opened)
    await claim(world, [await fromAlice(world, 5n * MFT)])
    const lower = await fromAlice(world, 5n * MFT)
    await expectSkipped(world, lower, NOTHING_NEW)
    await expectSkipped(world, { ...lower, amount: 0n, r: ethers.ZeroHash }, NOTHING_NEW)
  })

  it('credits the payee alone, whoever calls: result, event, slot, custody', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mallory, mft } = world
    const rows = [await fromAlice(world, 5n * MFT)]
    const people = [alice, bob, mallory]
    const before = await ledger(world, mft, people)
    expect(await channels.connect(mallory).claim.staticCall(bob.address, mft, HOUR, rows)).to.equal(
      5n * MFT,
    )
    await expect(claim(world, rows))
      .to.emit(channels, 'Claimed')
      .withArgs(world.id, bob.address, 5n * MFT)
    expect(await slotOf(world, world.id)).to.deep.equal({
      deposit: DEPOSIT,
      claimed: 5n * MFT,
      closesAt: 0n,
      epoch: 1n,
    })
    expect(moved(before, await ledger(world, mft, people))).to.deep.equal([
      0n,
      0n,
      0n,
      0n,
      5n * MFT,
      0n,
      0n,
    ])
  })

  it('pays what a voucher adds to the last one, and reports the total', async () => {
    const world = await loadFixture(opened)
    await claim(world, [await fromAlice(world, 5n * MFT)])
    await expect(claim(world, [await fromAlice(world, 12n * MFT)]))
      .to.emit(world.channels, 'Claimed')
      .withArgs(world.id, world.bob.address, 12n * MFT)
    expect(await vaultOf(world, world.mft, world.bob)).to.equal(12n * MFT)
  })

  it('pays while the channel is closing', async () => {
    const world = await loadFixture(opened)
    await world.channels.connect(world.alice).requestClose(world.terms)
    const closesAt = BigInt(await time.latest()) + BigInt(HOUR)
    await claim(world, [await fromAlice(world, 5n * MFT)])
    expect(await slotOf(world, world.id)).to.deep.equal({
      deposit: DEPOSIT,
      claimed: 5n * MFT,
      closesAt,
      epoch: 1n,
    })
  })

  it('pays in the coin', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob } = world
    const terms = termsOf(alice, bob, ZERO)
    await channels.connect(alice).open(terms, 10n, 0, { value: 10n })
    const row = await voucher(world, { payer: alice, terms, amount: 4n })
    await channels.claim(bob.address, ZERO, HOUR, [row])
    expect(await vaultOf(world, ZERO, bob)).to.equal(4n)
    const more = await voucher(world, { payer: alice, terms, amount: 9n })
    await expect(
      channels.connect(bob).claimTo(ZERO, HOUR, [more], world.carol.address),
    ).to.changeEtherBalances(ethers, [channels, world.carol], [-5n, 5n])
  })

  it('takes no rows at all', async () => {
    const world = await loadFixture(opened)
    await claim(world, [])
    expect(await vaultOf(world, world.mft, world.bob)).to.equal(0n)
  })

  it('lets a hot key sign for a cold payer', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mallory: hot, mft } = world
    const terms = { ...world.terms, signer: hot.address }
    await channels.connect(alice).open(terms, MFT, 0)
    const row = await voucher(world, { payer: alice, terms, amount: 7n, by: hot })
    await channels.claim(bob.address, mft, HOUR, [row])
    expect(await vaultOf(world, mft, bob)).to.equal(7n)
    const cold = await voucher(world, { payer: alice, terms, amount: 9n, by: alice })
    await channels.claim(bob.address, mft, HOUR, [cold])
    expect(await vaultOf(world, mft, bob)).to.equal(7n)
  })
})

describe('PaymentChannels.claimTo', () => {
  it('refuses to pay nobody or itself', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft } = world
    const rows = [await fromAlice(world, MFT)]
    for (const to of [ZERO, await channels.getAddress()]) {
      await expect(channels.connect(bob).claimTo(mft, HOUR, rows, to))
        .to.be.revertedWithCustomError(channels, 'ChannelsBadRecipient')
        .withArgs(to)
    }
  })

  it('gives a stranger nothing of the rows of another payee', async () => {
    const world = await loadFixture(opened)
    const { channels, mallory, mft } = world
    const rows = [await fromAlice(world, MFT)]
    const id = await channels.idOf(world.alice.address, { ...world.terms, payee: mallory.address })
    const steal = channels.connect(mallory).claimTo(mft, HOUR, rows, mallory.address)
    await expect(steal).to.emit(channels, 'Skipped').withArgs(id, mallory.address, NOT_OPEN)
    await expect(steal).to.changeTokenBalances(ethers, world.token, [mallory, channels], [0n, 0n])
  })

  it('succeeds with zero when somebody has claimed the rows before', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft } = world
    const rows = [await fromAlice(world, 5n * MFT)]
    await claim(world, rows)
    const late = channels.connect(bob).claimTo(mft, HOUR, rows, bob.address)
    await expect(late).to.emit(channels, 'Skipped').withArgs(world.id, bob.address, NOTHING_NEW)
    await expect(late).to.changeTokenBalances(ethers, world.token, [bob, channels], [0n, 0n])
    expect(await vaultOf(world, mft, bob)).to.equal(5n * MFT)
  })

  it('pays the sum to a wallet: result, events, slots and all balances', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, carol, mft } = world
    const rows = [await fromAlice(world, 5n * MFT), await fromCarol(world, 7n * MFT)]
    const people = [alice, bob, carol]
    const before = await ledger(world, mft, people)
    const payee = channels.connect(bob)
    expect(await payee.claimTo.staticCall(mft, HOUR, rows, bob.address)).to.equal(12n * MFT)
    const transaction = payee.claimTo(mft, HOUR, rows, bob.address)
    await expect(transaction)
      .to.emit(channels, 'Claimed')
      .withArgs(world.id, bob.address, 5n * MFT)
    await expect(transaction)
      .to.emit(channels, 'Claimed')
      .withArgs(world.carolsId, bob.address, 7n * MFT)
    await expect(transaction).not.to.emit(channels, 'Withdrawn')
    expect(moved(before, await ledger(world, mft, people))).to.deep.equal([
      -12n * MFT,
      0n,
      0n,
      12n * MFT,
      0n,
      0n,
      0n,
    ])
    expect((await slotOf(world, world.id)).claimed).to.equal(5n * MFT)
    expect((await slotOf(world, world.carolsId)).claimed).to.equal(7n * MFT)
  })
})

describe('PaymentChannels.claimable', () => {
  it('says row by row what a claim would pay, and agrees with it', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft } = world
    const rows = [
      await fromAlice(world, 5n * MFT),
      await fromAlice(world, MFT, { by: world.mallory }),
      await fromCarol(world, DEPOSIT * 2n),
      { ...(await fromCarol(world, MFT)), payer: world.mallory.address },
    ]
    const answer = await channels.claimable(bob.address, mft, HOUR, rows)
    expect(answer.each).to.deep.equal([5n * MFT, 0n, DEPOSIT, 0n])
    expect(answer.total).to.equal(5n * MFT + DEPOSIT)
    await claim(world, rows)
    expect(await vaultOf(world, mft, bob)).to.equal(answer.total)
    expect((await channels.claimable(bob.address, mft, HOUR, rows)).total).to.equal(0n)
  })
})
