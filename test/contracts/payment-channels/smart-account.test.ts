import { expect } from 'chai'
import { deployed, ethers, HOUR, MFT, networkHelpers } from '../support/chain.ts'
import { domainOf, slotOf, vaultOf, voucher, voucherTypes } from '../support/channels.ts'
import { deployMock } from '../support/standing.ts'

const { loadFixture, time } = networkHelpers
const DEPOSIT = 10n * MFT

/** Alice's wallet is a contract that holds MFT; carol's key is the hot one with which it signs vouchers. */
async function walleted() {
  const contracts = await deployed()
  const { token, channels, alice, bob, carol: hot } = contracts
  const wallet = await deployMock('SmartAccount', alice.address)
  const account = { address: await wallet.getAddress() }
  const mft = await token.getAddress()
  const address = await channels.getAddress()
  await token.transfer(account.address, 100n * MFT)
  const terms = { payee: bob.address, token: mft, signer: hot.address, notice: HOUR }
  const acts = (target: string, data: string) =>
    (wallet.connect(alice) as typeof wallet).getFunction('execute')(target, 0n, data)
  await acts(mft, token.interface.encodeFunctionData('approve', [address, 100n * MFT]))
  /** The wallet calls the channels. */
  const calls = (name: string, args: unknown[]) =>
    acts(address, channels.interface.encodeFunctionData(name as 'open', args as never))
  const id = await channels.idOf(account.address, terms)
  const pay = (amount: bigint) => voucher(contracts, { payer: account, terms, amount, by: hot })
  return { ...contracts, wallet, account, mft, terms, id, calls, pay }
}

describe('PaymentChannels with a wallet that is a contract as payer', () => {
  it('is opened by a call, claimed from with vouchers of the hot key, and left', async () => {
    const world = await loadFixture(walleted)
    const { token, channels, bob, mft, terms, id, account, calls, pay } = world
    await expect(calls('open', [terms, DEPOSIT, 0]))
      .to.emit(channels, 'Opened')
      .withArgs(id, account.address, bob.address, mft, terms.signer, HOUR, 1, DEPOSIT)
    await channels.claim(bob.address, mft, HOUR, [await pay(4n * MFT)])
    expect(await vaultOf(world, mft, bob)).to.equal(4n * MFT)
    await calls('requestClose', [terms])
    await time.increase(HOUR)
    await expect(calls('finalizeTo', [terms, account.address])).to.changeTokenBalances(
      ethers,
      token,
      [channels, account.address],
      [-6n * MFT, 6n * MFT],
    )
    expect((await slotOf(world, id)).deposit).to.equal(0n)
  })

  it('is opened from its vault, closed by the payee, and withdraws the rest', async () => {
    const world = await loadFixture(walleted)
    const { token, channels, bob, mft, terms, id, account, calls, pay } = world
    await calls('deposit', [mft, DEPOSIT])
    const row = { payee: terms.payee, signer: terms.signer, amount: DEPOSIT, expectedEpoch: 1 }
    await calls('openFromVault', [mft, HOUR, [row]])
    expect((await slotOf(world, id)).deposit).to.equal(DEPOSIT)
    await channels.connect(bob).closeByPayeeTo(mft, HOUR, [await pay(7n * MFT)], bob.address)
    expect(await vaultOf(world, mft, account)).to.equal(3n * MFT)
    await expect(calls('withdraw', [mft, account.address, 3n * MFT])).to.changeTokenBalance(
      ethers,
      token,
      account.address,
      3n * MFT,
    )
  })

  it('needs the hot key: a signature that the wallet itself would accept is worth nothing', async () => {
    const world = await loadFixture(walleted)
    const { channels, alice, bob, mft, terms, id, wallet, account, calls } = world
    await calls('open', [terms, DEPOSIT, 0])
    const message = { channelId: id, epoch: 1, amount: MFT }
    const signature = await alice.signTypedData(await domainOf(world), voucherTypes, message)
    const digest = await channels.digest(id, 1, MFT)
    // ERC-1271 says yes, and the channels do not ask
    expect(await wallet.getFunction('isValidSignature')(digest, signature)).to.equal('0x1626ba7e')
    const { r, yParityAndS: vs } = ethers.Signature.from(signature)
    const row = { payer: account.address, signer: terms.signer, amount: MFT, r, vs }
    await expect(channels.claim(bob.address, mft, HOUR, [row]))
      .to.emit(channels, 'Skipped')
      .withArgs(id, bob.address, 3)
  })

  it('gets everything back from a channel whose signer it named itself, for which nobody can sign', async () => {
    const world = await loadFixture(walleted)
    const { channels, alice, bob, token, mft, terms, account, calls } = world
    const own = { ...terms, signer: account.address }
    const id = await channels.idOf(account.address, own)
    await calls('open', [own, DEPOSIT, 0])
    const message = { channelId: id, epoch: 1, amount: MFT }
    const signature = await alice.signTypedData(await domainOf(world), voucherTypes, message)
    const { r, yParityAndS: vs } = ethers.Signature.from(signature)
    const row = { payer: account.address, signer: account.address, amount: MFT, r, vs }
    expect((await channels.claimable(bob.address, mft, HOUR, [row])).total).to.equal(0n)
    await calls('requestClose', [own])
    await time.increase(HOUR)
    await expect(calls('finalizeTo', [own, account.address])).to.changeTokenBalance(
      ethers,
      token,
      account.address,
      DEPOSIT,
    )
  })
})
