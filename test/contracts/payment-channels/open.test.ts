import { expect } from 'chai'
import { DAY, deployed, ethers, HOUR, MFT, networkHelpers, ZERO } from '../support/chain.ts'
import { ledger, moved, slotOf, termsOf } from '../support/channels.ts'
import { permitOf } from '../support/permits.ts'

const { loadFixture, time } = networkHelpers
const coder = ethers.AbiCoder.defaultAbiCoder()
const MOST = 2n ** 96n - 1n

/** Everybody has allowed the channels everything. */
async function ready() {
  const contracts = await deployed()
  const { token, channels, alice, bob, carol, mallory } = contracts
  for (const account of [alice, bob, carol, mallory]) {
    await token.connect(account).approve(channels, ethers.MaxUint256)
  }
  const mft = await token.getAddress()
  const terms = termsOf(alice, bob, mft)
  const id = await channels.idOf(alice.address, terms)
  return { ...contracts, mft, terms, id, coinTerms: { ...terms, token: ZERO } }
}

describe('PaymentChannels.open', () => {
  it('refuses a deployment with impossible notices', async () => {
    const { channels, mft } = await loadFixture(ready)
    const factory = await ethers.getContractFactory('PaymentChannels')
    for (const [minimum, maximum] of [
      [0, HOUR],
      [HOUR, HOUR - 1],
    ] as const) {
      await expect(factory.deploy(mft, minimum, maximum))
        .to.be.revertedWithCustomError(channels, 'ChannelsBadNotice')
        .withArgs(minimum, 1, maximum)
    }
  })

  it('refuses a zero payee and a zero signer', async () => {
    const { channels, alice, terms } = await loadFixture(ready)
    for (const change of [{ payee: ZERO }, { signer: ZERO }]) {
      await expect(
        channels.connect(alice).open({ ...terms, ...change }, MFT, 0),
      ).to.be.revertedWithCustomError(channels, 'ChannelsZeroAddress')
    }
  })

  it('refuses a notice under an hour or over thirty days, and takes both bounds', async () => {
    const { channels, alice, terms } = await loadFixture(ready)
    const open = (notice: number) => channels.connect(alice).open({ ...terms, notice }, MFT, 0)
    for (const notice of [0, HOUR - 1, 30 * DAY + 1, 2 ** 32 - 1]) {
      await expect(open(notice))
        .to.be.revertedWithCustomError(channels, 'ChannelsBadNotice')
        .withArgs(notice, HOUR, 30 * DAY)
    }
    await open(HOUR)
    await open(30 * DAY)
  })

  it('refuses an amount of zero, from any source', async () => {
    const { token, channels, alice, bob, mft, terms, coinTerms } = await loadFixture(ready)
    const address = await channels.getAddress()
    const data = coder.encode(['address', 'address', 'uint32'], [bob.address, alice.address, HOUR])
    const row = { payee: bob.address, signer: alice.address, amount: 0n, expectedEpoch: 0 }
    for (const attempt of [
      channels.connect(alice).open(terms, 0n, 0),
      channels.connect(alice).open(coinTerms, 0n, 0),
      token.connect(alice)['transferAndCall(address,uint256,bytes)'](address, 0n, data),
      channels.connect(alice).openFromVault(mft, HOUR, [row]),
    ]) {
      await expect(attempt).to.be.revertedWithCustomError(channels, 'ChannelsZeroAmount')
    }
  })

  it('refuses coin that was not announced, and announced coin that was not sent', async () => {
    const { channels, alice, terms, coinTerms } = await loadFixture(ready)
    await expect(channels.connect(alice).open(terms, MFT, 0, { value: 1n }))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongValue')
      .withArgs(1n, 0n)
    await expect(channels.connect(alice).open(coinTerms, 5n, 0, { value: 4n }))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongValue')
      .withArgs(4n, 5n)
  })

  it('takes a deposit of 96 bits to the last unit', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, coinTerms } = world
    await networkHelpers.setBalance(alice.address, 2n * MOST)
    const open = (amount: bigint) =>
      channels.connect(alice).open(coinTerms, amount, 0, { value: amount })
    await open(MOST - 1n)
    await open(1n)
    const id = await channels.idOf(alice.address, coinTerms)
    expect((await slotOf(world, id)).deposit).to.equal(MOST)
    await expect(open(1n))
      .to.be.revertedWithCustomError(channels, 'ChannelsAmountTooLarge')
      .withArgs(1n)
  })

  it('refuses a top-up while the channel is closing', async () => {
    const { channels, alice, terms, id } = await loadFixture(ready)
    await channels.connect(alice).open(terms, MFT, 0)
    await channels.connect(alice).requestClose(terms)
    const closesAt = BigInt(await time.latest()) + BigInt(HOUR)
    await expect(channels.connect(alice).open(terms, MFT, 0))
      .to.be.revertedWithCustomError(channels, 'ChannelsClosing')
      .withArgs(id, closesAt)
  })

  it('refuses to start or meet another epoch than expected', async () => {
    const { channels, alice, bob, mft, terms, id } = await loadFixture(ready)
    const payer = channels.connect(alice)
    await expect(payer.open(terms, MFT, 2))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongEpoch')
      .withArgs(id, 1, 2)
    await payer.open(terms, MFT, 1)
    await payer.open(terms, MFT, 1)
    const row = { payer: alice.address, signer: alice.address, amount: 0n }
    const unsigned = { r: ethers.ZeroHash, vs: ethers.ZeroHash }
    await channels.connect(bob).closeByPayee(mft, HOUR, [{ ...row, ...unsigned }])
    // the top-up that raced the close
    await expect(payer.open(terms, MFT, 1))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongEpoch')
      .withArgs(id, 2, 1)
    await payer.open(terms, MFT, 2)
  })

  it('refuses another epoch than expected to a permit too', async () => {
    const world = await loadFixture(deployed)
    const { token, channels, alice, bob } = world
    const terms = termsOf(alice, bob, await token.getAddress())
    const spender = await channels.getAddress()
    const permit = await permitOf(world, { owner: alice, spender, value: MFT })
    await expect(channels.connect(alice).openWithPermit(terms, MFT, 2, permit))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongEpoch')
      .withArgs(await channels.idOf(alice.address, terms), 1, 2)
  })

  it('opens no more in the last epoch, so that no voucher ever revives', async () => {
    const { channels, alice, terms, id } = await loadFixture(ready)
    const last = 2n ** 24n - 1n
    await networkHelpers.setStorageAt(await channels.getAddress(), id, (last - 1n) << 232n)
    await channels.connect(alice).open(terms, MFT, last)
    await networkHelpers.setStorageAt(await channels.getAddress(), id, last << 232n)
    await expect(channels.connect(alice).open(terms, MFT, 0)).to.be.revertedWithPanic(0x11)
  })

  it('refuses a payer without money or allowance', async () => {
    const { token, channels, treasury, terms } = await loadFixture(ready)
    await expect(channels.connect(treasury).open(terms, MFT, 0))
      .to.be.revertedWithCustomError(token, 'ERC20InsufficientAllowance')
      .withArgs(await channels.getAddress(), 0n, MFT)
  })

  it('opens by allowance: result, event, slot and both balances', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob, mft, terms, id } = world
    const before = await ledger(world, mft, [alice, bob])
    expect(await channels.connect(alice).open.staticCall(terms, 9n * MFT, 0)).to.equal(id)
    await expect(channels.connect(alice).open(terms, 9n * MFT, 0))
      .to.emit(channels, 'Opened')
      .withArgs(id, alice.address, bob.address, mft, alice.address, HOUR, 1, 9n * MFT)
    expect(await slotOf(world, id)).to.deep.equal({
      deposit: 9n * MFT,
      claimed: 0n,
      closesAt: 0n,
      epoch: 1n,
    })
    expect(moved(before, await ledger(world, mft, [alice, bob]))).to.deep.equal([
      9n * MFT,
      -9n * MFT,
      0n,
      0n,
      0n,
    ])
  })

  it('tops up, also with a single unit of dust', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, terms, id } = world
    await channels.connect(alice).open(terms, 9n * MFT, 0)
    await expect(channels.connect(alice).open(terms, 1n, 1))
      .to.emit(channels, 'ToppedUp')
      .withArgs(id, 9n * MFT + 1n)
    expect(await slotOf(world, id)).to.include({ deposit: 9n * MFT + 1n, epoch: 1n })
  })

  it('opens and tops up with the coin', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob, coinTerms } = world
    const id = await channels.idOf(alice.address, coinTerms)
    const open = channels.connect(alice).open(coinTerms, 7n, 0, { value: 7n })
    await expect(open)
      .to.emit(channels, 'Opened')
      .withArgs(id, alice.address, bob.address, ZERO, alice.address, HOUR, 1, 7n)
    await expect(open).to.changeEtherBalances(ethers, [alice, channels], [-7n, 7n])
    await expect(channels.connect(alice).open(coinTerms, 2n, 0, { value: 2n }))
      .to.emit(channels, 'ToppedUp')
      .withArgs(id, 9n)
    expect((await slotOf(world, id)).deposit).to.equal(9n)
  })

  it('opens with a permit', async () => {
    const world = await loadFixture(deployed)
    const { token, channels, alice, bob } = world
    const terms = termsOf(alice, bob, await token.getAddress())
    const spender = await channels.getAddress()
    const permit = await permitOf(world, { owner: alice, spender, value: 5n })
    await expect(
      channels.connect(alice).openWithPermit(terms, 5n, 1, permit),
    ).to.changeTokenBalances(ethers, token, [alice, channels], [-5n, 5n])
    const id = await channels.idOf(alice.address, terms)
    expect((await slotOf(world, id)).deposit).to.equal(5n)
  })

  it('opens and tops up by transferAndCall', async () => {
    const world = await loadFixture(ready)
    const { token, channels, alice, bob, mft, id } = world
    const address = await channels.getAddress()
    const data = coder.encode(['address', 'address', 'uint32'], [bob.address, alice.address, HOUR])
    const send = (amount: bigint) =>
      token.connect(alice)['transferAndCall(address,uint256,bytes)'](address, amount, data)
    const open = send(4n * MFT)
    await expect(open)
      .to.emit(channels, 'Opened')
      .withArgs(id, alice.address, bob.address, mft, alice.address, HOUR, 1, 4n * MFT)
    await expect(open).to.changeTokenBalances(
      ethers,
      token,
      [alice, channels],
      [-4n * MFT, 4n * MFT],
    )
    await expect(send(1n))
      .to.emit(channels, 'ToppedUp')
      .withArgs(id, 4n * MFT + 1n)
    await expect(
      token.connect(alice)['transferAndCall(address,uint256,bytes)'](address, 1n, '0x'),
    ).to.be.revert(ethers)
  })

  it('opens many from the vault, all or none', async () => {
    const world = await loadFixture(ready)
    const { channels, alice, bob, carol, mft, terms, id } = world
    await channels.connect(alice).deposit(mft, 10n * MFT)
    const row = (payee: string, amount: bigint, expectedEpoch = 0) => ({
      payee,
      signer: alice.address,
      amount,
      expectedEpoch,
    })
    const open = (...rows: ReturnType<typeof row>[]) =>
      channels.connect(alice).openFromVault(mft, HOUR, rows)
    await expect(open()).to.be.revertedWithCustomError(channels, 'ChannelsNoRows')
    await expect(open(row(bob.address, 10n * MFT), row(carol.address, 1n)))
      .to.be.revertedWithCustomError(channels, 'ChannelsInsufficientVault')
      .withArgs(10n * MFT, 10n * MFT + 1n)
    await expect(open(row(bob.address, 1n), row(bob.address, 1n, 2)))
      .to.be.revertedWithCustomError(channels, 'ChannelsWrongEpoch')
      .withArgs(id, 1, 2)
    const before = await ledger(world, mft, [alice, bob])
    const opened = open(row(bob.address, 3n), row(carol.address, 4n), row(bob.address, 5n, 1))
    await expect(opened)
      .to.emit(channels, 'Opened')
      .withArgs(id, alice.address, bob.address, mft, alice.address, HOUR, 1, 3n)
    await expect(opened).to.emit(channels, 'ToppedUp').withArgs(id, 8n)
    expect(moved(before, await ledger(world, mft, [alice, bob]))).to.deep.equal([
      0n,
      0n,
      -12n,
      0n,
      0n,
    ])
    const carols = await channels.idOf(alice.address, { ...terms, payee: carol.address })
    expect((await slotOf(world, carols)).deposit).to.equal(4n)
  })

  it('keeps channels apart that differ in any one of their terms', async () => {
    const { channels, alice, bob, carol, terms } = await loadFixture(ready)
    const ids = await Promise.all([
      channels.idOf(alice.address, terms),
      channels.idOf(bob.address, terms),
      channels.idOf(alice.address, { ...terms, payee: carol.address }),
      channels.idOf(alice.address, { ...terms, token: ZERO }),
      channels.idOf(alice.address, { ...terms, signer: carol.address }),
      channels.idOf(alice.address, { ...terms, notice: HOUR + 1 }),
    ])
    expect(new Set(ids).size).to.equal(ids.length)
    expect(ids[0]).to.equal(
      ethers.keccak256(
        coder.encode(
          ['address', 'address', 'address', 'address', 'uint32'],
          [alice.address, terms.payee, terms.token, terms.signer, terms.notice],
        ),
      ),
    )
    expect(bob.address).to.equal(terms.payee)
  })
})
