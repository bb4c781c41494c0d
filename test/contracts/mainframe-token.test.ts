import { expect } from 'chai'
import { deployed, ethers, FUNDS, MFT, networkHelpers } from './support/chain.ts'
import { permitOf } from './support/permits.ts'

const { loadFixture } = networkHelpers
const SUPPLY = 10_000_000_000n * MFT

describe('MainframeToken', () => {
  it('refuses to move more than a balance', async () => {
    const { token, alice, bob } = await loadFixture(deployed)
    await expect(token.connect(alice).transfer(bob.address, FUNDS + 1n))
      .to.be.revertedWithCustomError(token, 'ERC20InsufficientBalance')
      .withArgs(alice.address, FUNDS, FUNDS + 1n)
  })

  it('refuses a permit that somebody else signed', async () => {
    const contracts = await loadFixture(deployed)
    const { token, alice, bob, mallory } = contracts
    const value = 5n * MFT
    const { deadline, v, r, s } = await permitOf(contracts, {
      owner: mallory,
      spender: bob.address,
      value,
    })
    await expect(
      token.permit(alice.address, bob.address, value, deadline, v, r, s),
    ).to.be.revertedWithCustomError(token, 'ERC2612InvalidSigner')
  })

  it('refuses transferAndCall to an account without code', async () => {
    const { token, alice, bob } = await loadFixture(deployed)
    await expect(token.connect(alice)['transferAndCall(address,uint256)'](bob.address, 1n))
      .to.be.revertedWithCustomError(token, 'ERC1363InvalidReceiver')
      .withArgs(bob.address)
  })

  it('is created whole, in the hands of the treasury, and has no way to make more', async () => {
    const { token, treasury } = await loadFixture(deployed)
    expect(await token.totalSupply()).to.equal(SUPPLY)
    expect(await token.balanceOf(treasury.address)).to.equal(SUPPLY - 4n * FUNDS)
    expect(await token.name()).to.equal('Mainframe Token')
    expect(await token.symbol()).to.equal('MFT')
    expect(await token.decimals()).to.equal(18n)
    const names = token.interface.fragments.flatMap((f) => ('name' in f ? [String(f.name)] : []))
    expect(names.filter((name) => /mint|burn|pause|owner/i.test(name))).to.deep.equal([])
  })

  it('moves exactly the amount of a transfer', async () => {
    const { token, alice, bob } = await loadFixture(deployed)
    const transfer = token.connect(alice).transfer(bob.address, 7n * MFT)
    await expect(transfer)
      .to.emit(token, 'Transfer')
      .withArgs(alice.address, bob.address, 7n * MFT)
    await expect(transfer).to.changeTokenBalances(
      ethers,
      token,
      [alice, bob],
      [-7n * MFT, 7n * MFT],
    )
  })

  it('takes a permit, once', async () => {
    const contracts = await loadFixture(deployed)
    const { token, alice, bob } = contracts
    const value = 5n * MFT
    const { deadline, v, r, s } = await permitOf(contracts, {
      owner: alice,
      spender: bob.address,
      value,
    })
    const permit = () => token.permit(alice.address, bob.address, value, deadline, v, r, s)
    await permit()
    expect(await token.allowance(alice.address, bob.address)).to.equal(value)
    await expect(permit()).to.be.revertedWithCustomError(token, 'ERC2612InvalidSigner')
  })

  it('says which interfaces it has', async () => {
    const { token } = await loadFixture(deployed)
    expect(await token.supportsInterface('0xb0202a11')).to.equal(true) // ERC-1363
    expect(await token.supportsInterface('0x01ffc9a7')).to.equal(true) // ERC-165
    expect(await token.supportsInterface('0xffffffff')).to.equal(false)
  })
})
