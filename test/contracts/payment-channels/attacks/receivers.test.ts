import { expect } from 'chai'
import { ethers, HOUR, networkHelpers, ZERO } from '../../support/chain.ts'
import { termsOf, vaultOf, voucher } from '../../support/channels.ts'
import {
  call,
  custodyOf,
  deployMock,
  expectOthersUnharmed,
  standing,
} from '../../support/standing.ts'

const { loadFixture } = networkHelpers

/** All that stands, and 50 of the coin in Carol's vault. */
async function withCoin() {
  const world = await loadFixture(standing)
  await world.channels.connect(world.carol).deposit(ZERO, 50n, { value: 50n })
  return world
}

describe('receivers that reject the coin', () => {
  it('cost their owner a revert, who then names another', async () => {
    const world = await withCoin()
    const { channels, carol, mallory } = world
    const rejecting = await deployMock('Actor')
    await call(rejecting, 'refuse')
    const account = await rejecting.getAddress()
    await expect(channels.connect(carol).withdraw(ZERO, account, 50n))
      .to.be.revertedWithCustomError(channels, 'ChannelsCoinRefused')
      .withArgs(account, 50n)
    expect(await vaultOf(world, ZERO, carol)).to.equal(50n)
    await expect(
      channels.connect(carol).withdraw(ZERO, mallory.address, 50n),
    ).to.changeEtherBalance(ethers, mallory, 50n)
    await expectOthersUnharmed(world)
  })

  it('block no exit of the payee when they are the payer', async () => {
    const world = await loadFixture(standing)
    const { channels, alice, bob, address } = world
    const payer = await deployMock('Actor')
    await call(payer, 'refuse')
    const account = await payer.getAddress()
    const terms = termsOf(alice, bob, ZERO)
    const open = channels.interface.encodeFunctionData('open', [terms, 10n, 0])
    await payer.getFunction('execute')(address, 10n, open, { value: 10n })
    const row = await voucher(world, {
      payer: { address: account },
      terms,
      amount: 4n,
      by: alice,
    })
    await expect(
      channels.connect(bob).closeByPayeeTo(ZERO, HOUR, [row], bob.address),
    ).to.changeEtherBalances(ethers, [channels, bob], [-4n, 4n])
    expect((await channels.vaults([ZERO], account))[0]).to.equal(6n)
  })

  it('cannot take it twice by calling back', async () => {
    const world = await withCoin()
    const { channels, alice, address } = world
    const thief = await deployMock('Actor')
    const account = await thief.getAddress()
    await channels.connect(alice).depositFor(ZERO, account, 10n, { value: 10n })
    const before = await custodyOf(world, ZERO)
    const withdraw = channels.interface.encodeFunctionData('withdraw', [ZERO, account, 10n])
    await call(thief, 'prepare', address, withdraw)
    await call(thief, 'execute', address, 0n, withdraw)
    expect(await call(thief, 'succeeded')).to.equal(false)
    expect(await ethers.provider.getBalance(account)).to.equal(10n)
    expect(await custodyOf(world, ZERO)).to.equal(before - 10n)
    expect(await vaultOf(world, ZERO, world.carol)).to.equal(50n)
  })

  it('make the payment dear to nobody when they answer with a bomb', async () => {
    const spent: bigint[] = []
    for (const size of [0, 200_000]) {
      const world = await withCoin()
      const receiver = await (await deployMock('BombReceiver', size, false)).getAddress()
      const withdraw = await world.channels.connect(world.carol).withdraw(ZERO, receiver, 50n)
      spent.push((await withdraw.wait())?.gasUsed ?? 0n)
      expect(await ethers.provider.getBalance(receiver)).to.equal(50n)
      await expectOthersUnharmed(world)
    }
    const [quiet = 0n, loud = 0n] = spent
    expect(loud - quiet).to.be.below(1_000n)
  })

  it('are told apart from a failure of the contract when the bomb is a revert', async () => {
    const world = await withCoin()
    const receiver = await (await deployMock('BombReceiver', 200_000, true)).getAddress()
    await expect(world.channels.connect(world.carol).withdraw(ZERO, receiver, 50n))
      .to.be.revertedWithCustomError(world.channels, 'ChannelsCoinRefused')
      .withArgs(receiver, 50n)
    await world.channels.connect(world.carol).withdraw(ZERO, world.carol.address, 50n)
    await expectOthersUnharmed(world)
  })

  it('find no way to send coin that nobody is credited for', async () => {
    const { alice, address } = await loadFixture(standing)
    for (const data of ['0x', '0x12345678']) {
      await expect(alice.sendTransaction({ to: address, value: 1n, data })).to.be.revert(ethers)
    }
  })
})
