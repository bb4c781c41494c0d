import { expect } from 'chai'
import { network } from 'hardhat'
import { deployed, ethers, HOUR, MFT, networkHelpers, provider, ZERO } from '../../support/chain.ts'
import {
  type ClaimRow,
  domainOf,
  release,
  slotOf,
  termsOf,
  vaultOf,
  voucher,
  voucherTypes,
} from '../../support/channels.ts'
import { fromAlice, type Opened, opened } from '../../support/opened.ts'
import { permitOf } from '../../support/permits.ts'

const { loadFixture } = networkHelpers
const BAD_SIGNATURE = 3
/** The order of secp256k1. */
const ORDER = BigInt('0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141')
const S_BITS = (1n << 255n) - 1n

async function expectWorthless(world: Opened, row: ClaimRow, reason = BAD_SIGNATURE) {
  const { channels, mallory, bob, mft } = world
  const id = await channels.idOf(row.payer, { ...world.terms, signer: row.signer })
  const before = await slotOf(world, id)
  const claim = channels.connect(mallory).claim(bob.address, mft, HOUR, [row])
  await expect(claim).to.emit(channels, 'Skipped').withArgs(id, bob.address, reason)
  await expect(claim).not.to.emit(channels, 'Claimed')
  expect(await slotOf(world, id)).to.deep.equal(before)
  expect(await vaultOf(world, mft, bob)).to.equal(0n)
}

describe('field missing from the signed hash (Horizon M-15)', () => {
  it('is none: a voucher for other words of any field is worth nothing', async () => {
    const world = await loadFixture(opened)
    const { mallory, carol, terms } = world
    const row = await fromAlice(world, MFT)
    await expectWorthless(world, { ...row, amount: 2n * MFT })
    await expectWorthless(world, { ...row, amount: MFT - 1n })
    await expectWorthless(world, await fromAlice(world, MFT, { epoch: 2 }))
    await expectWorthless(world, await fromAlice(world, MFT, { epoch: 0 }))
    await expectWorthless(world, await fromAlice(world, MFT, { by: mallory }))
    const others = [
      { ...terms, payee: carol.address },
      { ...terms, token: ZERO },
      { ...terms, signer: mallory.address },
      { ...terms, notice: HOUR + 1 },
    ]
    for (const other of others) {
      const elsewhere = await fromAlice(world, MFT, { terms: other })
      await expectWorthless(world, { ...elsewhere, signer: terms.signer })
    }
    const ofCarol = await voucher(world, { payer: carol, terms, amount: MFT, by: world.alice })
    await expectWorthless(world, { ...ofCarol, payer: world.alice.address })
  })

  it('is none: a voucher for another contract is worth nothing', async () => {
    const world = await loadFixture(opened)
    const twin = await ethers.deployContract('PaymentChannels', [world.mft, HOUR, HOUR])
    const channels = twin as unknown as Opened['channels']
    const { alice: payer, terms } = world
    await expectWorthless(
      world,
      await voucher({ ...world, channels }, { payer, terms, amount: MFT }),
    )
  })

  it('is none: a release stands for its epoch, amount and signer alone', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, mallory, terms, id } = world
    const signing = { payer: alice, terms, amount: 5n, by: bob }
    const close = (amount: bigint, { r, vs }: { r: string; vs: string }) =>
      channels.connect(alice).closeWithRelease(terms, amount, r, vs)
    await expect(close(5n, await release(world, { ...signing, by: mallory })))
      .to.be.revertedWithCustomError(channels, 'ChannelsBadRelease')
      .withArgs(id, mallory.address)
    const elsewhere = { ...terms, notice: HOUR + 1 }
    const wrong: [bigint, { r: string; vs: string }][] = [
      [4n, await release(world, signing)],
      [5n, await release(world, { ...signing, epoch: 2 })],
      [5n, await release(world, { ...signing, terms: elsewhere })],
    ]
    for (const [amount, signed] of wrong) {
      await expect(close(amount, signed)).to.be.revertedWithCustomError(
        channels,
        'ChannelsBadRelease',
      )
    }
  })

  it('is none: a voucher is no release, and a release no voucher', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob, terms } = world
    const { r, vs } = await voucher(world, { payer: alice, terms, amount: 5n, by: bob })
    await expect(
      channels.connect(alice).closeWithRelease(terms, 5n, r, vs),
    ).to.be.revertedWithCustomError(channels, 'ChannelsBadRelease')
    const signed = await release(world, { payer: alice, terms, amount: 5n, by: alice })
    await expectWorthless(world, { ...(await fromAlice(world, 5n)), ...signed })
  })
})

describe('malleable or zero signatures', () => {
  /** The other signature of the same message: s' = n - s. */
  function malleated(row: ClaimRow): ClaimRow {
    const parity = BigInt(row.vs) >> 255n
    const s = ORDER - (BigInt(row.vs) & S_BITS)
    // n - s has 256 bits: what does not fit beside the parity cannot even be written down
    return { ...row, vs: ethers.toBeHex(((1n - parity) << 255n) | (s & S_BITS), 32) }
  }

  it('are worth nothing: the twin of a good signature', async () => {
    const world = await loadFixture(opened)
    await expectWorthless(world, malleated(await fromAlice(world, MFT)))
  })

  it('are worth nothing: zeros, as if a failed recovery could match', async () => {
    const world = await loadFixture(opened)
    const row = await fromAlice(world, MFT)
    await expectWorthless(world, { ...row, r: ethers.ZeroHash, vs: ethers.ZeroHash })
    await expectWorthless(
      world,
      { ...row, r: ethers.ZeroHash, vs: ethers.ZeroHash, signer: ZERO },
      1,
    )
  })

  it('are no release, and a zero signer opens nothing', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, terms, id } = world
    const none = [ethers.ZeroHash, ethers.ZeroHash] as const
    await expect(channels.connect(alice).closeWithRelease(terms, 0n, ...none))
      .to.be.revertedWithCustomError(channels, 'ChannelsBadRelease')
      .withArgs(id, ZERO)
    await expect(
      channels.connect(alice).open({ ...terms, signer: ZERO }, MFT, 0),
    ).to.be.revertedWithCustomError(channels, 'ChannelsZeroAddress')
  })
})

describe('domain not recomputed after a fork', () => {
  it('is: on the other chain its own vouchers count, and those of the first do not', async () => {
    const world = await loadFixture(opened)
    const { channels, alice, bob } = world
    const address = await channels.getAddress()
    const terms = termsOf(alice, bob, ZERO)
    await channels.connect(alice).open(terms, 9n, 0, { value: 9n })
    // the very code, with all that was computed when it was deployed on the first chain
    const fork = await network.create({ override: { chainId: 31_338 } })
    const code = await provider.request({ method: 'eth_getCode', params: [address, 'latest'] })
    await fork.networkHelpers.setCode(address, String(code))
    const payer = await fork.ethers.getSigner(alice.address)
    const forked = await fork.ethers.getContractAt('PaymentChannels', address, payer)
    const there = forked as unknown as Opened['channels']
    await there.open(terms, 9n, 0, { value: 9n })

    const message = { channelId: await channels.idOf(alice.address, terms), epoch: 1, amount: 4n }
    const domain = await domainOf(world)
    const signed = async (chainId: bigint): Promise<ClaimRow> => {
      const signature = await alice.signTypedData({ ...domain, chainId }, voucherTypes, message)
      const { r, yParityAndS: vs } = ethers.Signature.from(signature)
      return { payer: alice.address, signer: alice.address, amount: 4n, r, vs }
    }
    const worth = async (on: Opened['channels'], row: ClaimRow) =>
      (await on.claimable(bob.address, ZERO, HOUR, [row])).total
    const [here, elsewhere] = [await signed(domain.chainId), await signed(31_338n)]
    expect([await worth(channels, here), await worth(channels, elsewhere)]).to.deep.equal([4n, 0n])
    expect([await worth(there, here), await worth(there, elsewhere)]).to.deep.equal([0n, 4n])
    await fork.close()
  })
})

describe('permit front-run', () => {
  it('opens all the same when somebody submitted the permit first', async () => {
    const world = await loadFixture(deployed)
    const { token, channels, alice, bob, mallory } = world
    const mft = await token.getAddress()
    const terms = termsOf(alice, bob, mft)
    const spender = await channels.getAddress()
    const permit = await permitOf(world, { owner: alice, spender, value: 5n })
    const { deadline, v, r, s } = permit
    await token.connect(mallory).permit(alice.address, spender, 5n, deadline, v, r, s)
    await expect(
      channels.connect(alice).openWithPermit(terms, 5n, 1, permit),
    ).to.changeTokenBalances(ethers, token, [alice, channels], [-5n, 5n])
    const id = await channels.idOf(alice.address, terms)
    expect((await slotOf(world, id)).deposit).to.equal(5n)
  })

  it('opens nothing for the one who ran in front', async () => {
    const world = await loadFixture(deployed)
    const { token, channels, alice, bob, mallory } = world
    const mft = await token.getAddress()
    const spender = await channels.getAddress()
    const permit = await permitOf(world, { owner: alice, spender, value: 5n })
    const theft = channels
      .connect(mallory)
      .openWithPermit(termsOf(mallory, bob, mft), 5n, 0, permit)
    await expect(theft)
      .to.be.revertedWithCustomError(token, 'ERC20InsufficientAllowance')
      .withArgs(spender, 0n, 5n)
  })
})
