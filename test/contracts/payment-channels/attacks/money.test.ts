import { expect } from 'chai'
import { ethers, HOUR, MFT, networkHelpers, ZERO } from '../../support/chain.ts'
import { release, slotOf, vaultOf, type voucher } from '../../support/channels.ts'
import { DEPOSIT, fromAlice, fromCarol, type Opened, opened } from '../../support/opened.ts'
import { call, deployMock, expectOthersUnharmed, standing } from '../../support/standing.ts'

const { loadFixture, time } = networkHelpers
const coder = ethers.AbiCoder.defaultAbiCoder()
const NOTHING_NEW = 2
const BAD_SIGNATURE = 3
const MOST = 2n ** 96n - 1n

const claim = (
  { channels, mallory, bob, mft }: Opened,
  ...rows: Awaited<ReturnType<typeof voucher>>[]
) => channels.connect(mallory).claim(bob.address, mft, HOUR, rows)

describe('payer drains its own escrow (Horizon)', () => {
  it('finds no way to take the deposit while the payee may still claim', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft, terms, id } = world
    const payer = channels.connect(alice)
    const row = await fromAlice(world, 90n * MFT)
    await expect(payer.withdraw(mft, alice.address, 1n))
      .to.be.revertedWithCustomError(channels, 'ChannelsInsufficientVault')
      .withArgs(0n, 1n)
    // the payer as his own payee, with a voucher of his own: another channel, which is not open
    expect(await payer.claimTo.staticCall(mft, HOUR, [row], alice.address)).to.equal(0n)
    await payer.requestClose(terms)
    const { closesAt } = await slotOf(world, id)
    await expect(payer.requestClose(terms))
      .to.be.revertedWithCustomError(channels, 'ChannelsClosing')
      .withArgs(id, closesAt)
    await time.setNextBlockTimestamp(closesAt - 1n)
    await expect(payer.finalizeTo(terms, alice.address))
      .to.be.revertedWithCustomError(channels, 'ChannelsNoticeRunning')
      .withArgs(id, closesAt, closesAt - 1n)
    await claim(world, row)
    await time.increaseTo(closesAt)
    await payer.finalize(terms)
    expect(await vaultOf(world, mft, bob)).to.equal(90n * MFT)
    expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT - 90n * MFT)
  })

  it('gives no notice by cancelling an old one', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, terms } = world
    const payer = channels.connect(alice)
    await payer.requestClose(terms)
    await time.increase(2 * HOUR)
    await payer.cancelClose(terms)
    await payer.requestClose(terms)
    await expect(payer.finalize(terms)).to.be.revertedWithCustomError(
      channels,
      'ChannelsNoticeRunning',
    )
  })
})

describe('dust deposit burns a ticket (Livepeer)', () => {
  it('does not: what the dust did not cover can be claimed after the next deposit', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft, id } = world
    const big = await fromAlice(world, DEPOSIT + 50n)
    await claim(world, big)
    expect(await vaultOf(world, mft, bob)).to.equal(DEPOSIT)
    await expect(claim(world, big))
      .to.emit(channels, 'Skipped')
      .withArgs(id, bob.address, NOTHING_NEW)
    await channels.connect(alice).open(world.terms, 1n, 1)
    await claim(world, big)
    expect(await vaultOf(world, mft, bob)).to.equal(DEPOSIT + 1n)
    await channels.connect(alice).open(world.terms, 1_000n, 1)
    await claim(world, big)
    expect(await vaultOf(world, mft, bob)).to.equal(DEPOSIT + 50n)
  })
})

describe('partial payout burns the voucher', () => {
  it('does not: a lower voucher, claimed first, takes nothing from a higher one', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft, id } = world
    const high = await fromAlice(world, 12n * MFT)
    await claim(world, await fromAlice(world, 5n * MFT))
    await expect(claim(world, high))
      .to.emit(channels, 'Claimed')
      .withArgs(id, bob.address, 12n * MFT)
    expect(await vaultOf(world, mft, bob)).to.equal(12n * MFT)
  })

  it('does not: two vouchers pay alike, together or one after the other, in any order', async () => {
    for (const order of [[[0, 1]], [[1, 0]], [[0], [1]], [[1], [0]]]) {
      const world = await loadFixture(opened)
      const rows = [await fromAlice(world, 5n * MFT), await fromAlice(world, 8n * MFT)]
      for (const batch of order) await claim(world, ...batch.flatMap((index) => rows[index] ?? []))
      expect(await vaultOf(world, world.mft, world.bob)).to.equal(8n * MFT)
    }
  })
})

describe('voucher ceiling survives a refund (x402 audit)', () => {
  const closings = {
    'the payee’s close': async ({ channels, bob, mft }: Opened, row: Row) => {
      await channels.connect(bob).closeByPayee(mft, HOUR, [row])
    },
    'a release': async (world: Opened) => {
      const { channels, alice, bob, terms } = world
      const { r, vs } = await release(world, { payer: alice, terms, amount: 0n, by: bob })
      await channels.connect(alice).closeWithRelease(terms, 0n, r, vs)
    },
    'the payer’s exit': async ({ channels, alice, terms }: Opened) => {
      await channels.connect(alice).requestClose(terms)
      await time.increase(HOUR)
      await channels.connect(alice).finalize(terms)
    },
  }
  for (const [name, close] of Object.entries(closings)) {
    it(`does not survive ${name}: in the next epoch old vouchers are worth nothing`, async () => {
      const world = await loadFixture(opened)
      const { channels, alice, bob, mft, terms, id } = world
      const old = await fromAlice(world, 90n * MFT)
      await close(world, await fromAlice(world, 5n * MFT))
      await expect(channels.connect(alice).open(terms, DEPOSIT, 0))
        .to.emit(channels, 'Opened')
        .withArgs(id, alice.address, bob.address, mft, alice.address, HOUR, 2, DEPOSIT)
      await expect(claim(world, old))
        .to.emit(channels, 'Skipped')
        .withArgs(id, bob.address, BAD_SIGNATURE)
      await claim(world, await fromAlice(world, MFT, { epoch: 2 }))
      const slot = { deposit: DEPOSIT, claimed: MFT, closesAt: 0n, epoch: 2n }
      expect(await slotOf(world, id)).to.deep.equal(slot)
    })
  }
})

type Row = Awaited<ReturnType<typeof voucher>>

describe('double redemption (HOPR, twice)', () => {
  it('of a voucher pays once, in one batch and in two', async () => {
    const world = await loadFixture(opened)
    const row = await fromAlice(world, 5n * MFT)
    await claim(world, row, row)
    await claim(world, row)
    await world.channels.connect(world.bob).claimTo(world.mft, HOUR, [row], world.bob.address)
    expect(await vaultOf(world, world.mft, world.bob)).to.equal(5n * MFT)
    expect((await slotOf(world, world.id)).claimed).to.equal(5n * MFT)
  })

  it('of a voucher by claiming and closing pays once', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mft } = world
    const row = await fromAlice(world, 5n * MFT)
    await claim(world, row)
    await channels.connect(bob).closeByPayee(mft, HOUR, [row, row])
    await claim(world, row)
    expect(await vaultOf(world, mft, bob)).to.equal(5n * MFT)
    expect(await vaultOf(world, mft, alice)).to.equal(DEPOSIT - 5n * MFT)
  })

  it('of a release is refused, in its own epoch and in the next', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, terms } = world
    const amount = 6n * MFT
    const { r, vs } = await release(world, { payer: alice, terms, amount, by: bob })
    const close = () => channels.connect(alice).closeWithRelease(terms, amount, r, vs)
    await close()
    await expect(close()).to.be.revertedWithCustomError(channels, 'ChannelsNotOpen')
    await channels.connect(alice).open(terms, DEPOSIT, 0)
    await expect(close()).to.be.revertedWithCustomError(channels, 'ChannelsBadRelease')
  })
})

describe('one bad row blocks a batch (x402)', () => {
  it('does not: bad rows are skipped, each with its reason', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, id, carolsId } = world
    const forged = await fromAlice(world, MFT, { by: world.mallory })
    const strange = { ...forged, payer: world.mallory.address }
    const strangeId = await channels.idOf(world.mallory.address, world.terms)
    const transaction = claim(world, forged, strange, await fromCarol(world, 3n * MFT))
    await expect(transaction).to.emit(channels, 'Skipped').withArgs(id, bob.address, BAD_SIGNATURE)
    await expect(transaction).to.emit(channels, 'Skipped').withArgs(strangeId, bob.address, 1)
    await expect(transaction)
      .to.emit(channels, 'Claimed')
      .withArgs(carolsId, bob.address, 3n * MFT)
    expect(await vaultOf(world, world.mft, bob)).to.equal(3n * MFT)
  })

  it('does not block a close, and leaves its own channel open', async () => {
    const world = await loadFixture(opened)
    const { channels, bob, mft } = world
    const forged = await fromAlice(world, MFT, { by: world.mallory })
    const rows = [forged, await fromCarol(world, 3n * MFT)]
    const close = channels.connect(bob).closeByPayee(mft, HOUR, rows)
    await expect(close).to.emit(channels, 'Skipped').withArgs(world.id, bob.address, BAD_SIGNATURE)
    await expect(close)
      .to.emit(channels, 'Closed')
      .withArgs(world.carolsId, bob.address, 3n * MFT, DEPOSIT - 3n * MFT)
    expect((await slotOf(world, world.id)).deposit).to.equal(DEPOSIT)
    const closed = { deposit: 0n, claimed: 0n, closesAt: 0n, epoch: 1n }
    expect(await slotOf(world, world.carolsId)).to.deep.equal(closed)
  })
})

describe('uint casts', () => {
  it('cut no amount: what does not fit 96 bits is refused, from every source', async () => {
    const world = await loadFixture(standing)
    const { channels, treasury, bob } = world
    const honest = await deployMock('HonestToken')
    const token = await honest.getAddress()
    await call(honest, 'approve', channels, ethers.MaxUint256)
    const payer = channels.connect(treasury)
    const terms = { payee: bob.address, token, signer: treasury.address, notice: HOUR }
    await payer.open(terms, 5n, 0)
    await expect(payer.open(terms, MOST, 0))
      .to.be.revertedWithCustomError(channels, 'ChannelsAmountTooLarge')
      .withArgs(MOST)
    // 2^96 + 7 does not become 7
    const wide = channels.interface
      .encodeFunctionData('open', [terms, 7n, 0])
      .replace(
        coder.encode(['uint96'], [7n]).slice(2),
        coder.encode(['uint256'], [2n ** 96n + 7n]).slice(2),
      )
    await expect(
      treasury.sendTransaction({ to: await channels.getAddress(), data: wide }),
    ).to.be.revert(ethers)
    await payer.deposit(token, 2n ** 96n + 7n)
    expect(await vaultOf(world, token, treasury)).to.equal(2n ** 96n + 7n)
    await payer.withdraw(token, bob.address, 2n ** 96n)
    expect(await vaultOf(world, token, treasury)).to.equal(7n)
    await expectOthersUnharmed(world)
  })
})

describe('multicall with msg.value', () => {
  it('has nothing to hold on to: value pays one call, and rows of a batch carry none', async () => {
    const world = await loadFixture(standing)
    const { channels, alice, address } = world
    expect(channels.interface.getFunction('multicall' as never)).to.equal(null)
    const payable = channels.interface.fragments.flatMap((fragment) =>
      fragment.type === 'function' && (fragment as { payable?: boolean }).payable === true
        ? [(fragment as unknown as { name: string }).name]
        : [],
    )
    expect(payable.sort()).to.deep.equal(['deposit', 'depositFor', 'open'])
    const batch = channels.interface.encodeFunctionData('openFromVault', [ZERO, HOUR, []])
    await expect(alice.sendTransaction({ to: address, data: batch, value: 1n })).to.be.revert(
      ethers,
    )
    await expectOthersUnharmed(world)
  })

  it('credits two calls of one transaction with what each of them sent', async () => {
    const world = await loadFixture(standing)
    const { channels, address, carol } = world
    const twice = await deployMock('Actor')
    const deposit = channels.interface.encodeFunctionData('depositFor', [ZERO, carol.address, 5n])
    // the second call comes out of the first one's coin
    await call(twice, 'prepare', address, deposit)
    const execute = twice.getFunction('execute')
    await expect(execute(address, 4n, deposit, { value: 4n }))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongValue')
      .withArgs(4n, 5n)
    await execute(address, 5n, deposit, { value: 5n })
    expect(await vaultOf(world, ZERO, carol)).to.equal(5n)
    await channels.connect(carol).withdraw(ZERO, carol.address, 5n)
    await expectOthersUnharmed(world)
  })
})

describe('forged onTransferReceived', () => {
  const data = (payee: string, signer: string) =>
    coder.encode(['address', 'address', 'uint32'], [payee, signer, HOUR])

  it('is refused from anybody but MFT', async () => {
    const world = await loadFixture(standing)
    const { channels, alice, bob, mallory } = world
    const inner = data(bob.address, alice.address)
    const forge = channels
      .connect(mallory)
      .onTransferReceived(alice.address, alice.address, MFT, inner)
    await expect(forge)
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongToken')
      .withArgs(mallory.address)
    await expectOthersUnharmed(world)
  })

  it('drains nothing through a token that forwards bytes of the caller’s choice', async () => {
    const world = await loadFixture(standing)
    const { channels, mallory, mft, address } = world
    const forwarding = await deployMock('ForwardingToken')
    // the token itself appears as the caller, as it does in every callback
    const forged = channels.interface.encodeFunctionData('onTransferReceived', [
      mallory.address,
      mallory.address,
      1_000n * MFT,
      data(mallory.address, mallory.address),
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
    await expectOthersUnharmed(world)
  })
})
