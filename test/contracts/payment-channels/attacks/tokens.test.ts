import { expect } from 'chai'
import { ethers, HOUR, networkHelpers } from '../../support/chain.ts'
import { slotOf, termsOf, vaultOf } from '../../support/channels.ts'
import {
  call,
  custodyOf,
  deployMock,
  expectOthersUnharmed,
  openedIn,
  owedIn,
  standing,
} from '../../support/standing.ts'

const { loadFixture, time } = networkHelpers

const MOST = 2n ** 96n - 1n

type Hostile = Awaited<ReturnType<typeof openedIn>>

/** Custody equals liabilities in the token itself too, where it is honest about its balances. */
async function expectSolvent(world: Hostile, ...others: { address: string }[]): Promise<void> {
  const { treasury, bob, hostileAddress, id } = world
  const owed = await owedIn(world, hostileAddress, {
    owners: [treasury, bob, ...others],
    ids: [id],
  })
  expect(await custodyOf(world, hostileAddress)).to.equal(owed)
  await expectOthersUnharmed(world)
}

describe('token with a blacklist traps funds', () => {
  it('of the payer it blocks, and no claim and no close of the payee', async () => {
    const world = await openedIn('BlockingToken')
    const { channels, treasury, bob, hostile, hostileAddress } = world
    await call(hostile, 'block_', treasury.address)
    const rows = [await world.pay(400n)]
    await channels.connect(bob).closeByPayeeTo(hostileAddress, HOUR, rows, bob.address)
    expect(await call(hostile, 'balanceOf', bob.address)).to.equal(400n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(600n)
    await expect(channels.connect(treasury).withdraw(hostileAddress, treasury.address, 600n))
      .to.be.revertedWithCustomError(hostile, 'Blocked')
      .withArgs(treasury.address)
    await expectSolvent(world)
  })

  it('of the payee it blocks, and no exit of the payer', async () => {
    const world = await openedIn('BlockingToken')
    const { channels, treasury, bob, hostile, hostileAddress, terms } = world
    await call(hostile, 'block_', bob.address)
    await channels.connect(treasury).requestClose(terms)
    await channels.claim(bob.address, hostileAddress, HOUR, [await world.pay(400n)])
    await time.increase(HOUR)
    await expect(
      channels.connect(treasury).finalizeTo(terms, treasury.address),
    ).to.changeTokenBalance(ethers, hostile, treasury, 600n)
    expect(await vaultOf(world, hostileAddress, bob)).to.equal(400n)
    await expectSolvent(world)
  })

  it('whole when it blocks the contract, yet each side still gets its share into its vault', async () => {
    const world = await openedIn('BlockingToken')
    const { channels, treasury, bob, hostile, hostileAddress, address } = world
    await call(hostile, 'block_', address)
    await channels.connect(bob).closeByPayee(hostileAddress, HOUR, [await world.pay(400n)])
    expect(await vaultOf(world, hostileAddress, bob)).to.equal(400n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(600n)
    await expectSolvent(world)
  })
})

describe('fee-on-transfer token', () => {
  it('is credited with what arrives, in channels and vaults', async () => {
    const world = await openedIn('FeeToken')
    const { channels, treasury, bob, hostile, hostileAddress, id } = world
    expect((await slotOf(world, id)).deposit).to.equal(990n)
    await channels.connect(treasury).deposit(hostileAddress, 100n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(99n)
    expect(await custodyOf(world, hostileAddress)).to.equal(1_089n)
    await channels.connect(bob).claimTo(hostileAddress, HOUR, [await world.pay(200n)], bob.address)
    expect(await call(hostile, 'balanceOf', bob.address)).to.equal(198n)
    await expectSolvent(world)
  })

  it('fills a channel with what arrives, not with what was sent', async () => {
    const world = await openedIn('FeeToken', MOST)
    const { channels, treasury, terms, id } = world
    const { deposit } = await slotOf(world, id)
    expect(deposit).to.equal(MOST - MOST / 100n)
    const sent = MOST - deposit + (MOST - deposit) / 50n
    await expect(channels.connect(treasury).open(terms, sent, 0))
      .to.be.revertedWithCustomError(channels, 'ChannelsAmountTooLarge')
      .withArgs(sent - sent / 100n)
    await expectSolvent(world)
  })
})

describe('no-return token', () => {
  it('works as any other', async () => {
    const world = await openedIn('NoReturnToken')
    const { channels, treasury, bob, hostile, hostileAddress, terms } = world
    await channels.connect(bob).claimTo(hostileAddress, HOUR, [await world.pay(400n)], bob.address)
    expect(await call(hostile, 'balanceOf', bob.address)).to.equal(400n)
    await channels.connect(treasury).requestClose(terms)
    await time.increase(HOUR)
    await channels.connect(treasury).finalizeTo(terms, world.carol.address)
    expect(await call(hostile, 'balanceOf', world.carol.address)).to.equal(600n)
    await expectSolvent(world)
  })
})

describe('false-return token', () => {
  it('is refused', async () => {
    const world = await loadFixture(standing)
    const { channels, treasury, bob } = world
    const token = await (await deployMock('FalseReturnToken')).getAddress()
    const payer = channels.connect(treasury)
    for (const attempt of [
      () => payer.deposit(token, 5n),
      () => payer.open(termsOf(treasury, bob, token), 5n, 0),
    ]) {
      await expect(attempt())
        .to.be.revertedWithCustomError(channels, 'SafeERC20FailedOperation')
        .withArgs(token)
    }
    await expectOthersUnharmed(world)
  })
})

describe('re-entrant token', () => {
  it('meets a guard on every inflow', async () => {
    const world = await openedIn('HookedToken')
    const { channels, treasury, hostile, hostileAddress, terms, address } = world
    await call(hostile, 'approveAs', address, ethers.MaxUint256)
    const { interface: abi } = channels
    const permit = { deadline: 0, v: 0, r: ethers.ZeroHash, s: ethers.ZeroHash }
    const row = { payee: treasury.address, signer: treasury.address, amount: 1n, expectedEpoch: 0 }
    const nobody = ethers.ZeroAddress
    const inflows = [
      abi.encodeFunctionData('deposit', [hostileAddress, 5n]),
      abi.encodeFunctionData('depositFor', [hostileAddress, treasury.address, 5n]),
      abi.encodeFunctionData('open', [terms, 5n, 0]),
      abi.encodeFunctionData('openWithPermit', [terms, 5n, 0, permit]),
      abi.encodeFunctionData('openFromVault', [hostileAddress, HOUR, [row]]),
      abi.encodeFunctionData('onTransferReceived', [nobody, nobody, 1n, '0x']),
    ]
    for (const inflow of inflows) {
      for (const afterwards of [false, true]) {
        await call(hostile, 'prepare', address, inflow, afterwards)
        await expect(
          channels.connect(treasury).deposit(hostileAddress, 7n),
        ).to.be.revertedWithCustomError(channels, 'ReentrancyGuardReentrantCall')
      }
    }
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(0n)
    await expectSolvent(world)
  })

  it('loses what it pays out in the midst of a deposit, and nothing else', async () => {
    const world = await openedIn('HookedToken')
    const { channels, treasury, bob, hostile, hostileAddress, address, id } = world
    // the token contract itself has a vault, and withdraws from it within the deposit
    const itself = { address: hostileAddress }
    await channels.connect(treasury).depositFor(hostileAddress, hostileAddress, 50n)
    const withdraw = channels.interface.encodeFunctionData('withdraw', [
      hostileAddress,
      treasury.address,
      30n,
    ])
    await call(hostile, 'prepare', address, withdraw, true)
    await channels.connect(treasury).deposit(hostileAddress, 100n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(70n)
    expect(await vaultOf(world, hostileAddress, itself)).to.equal(20n)
    const owners = [treasury, bob, itself]
    const owed = await owedIn(world, hostileAddress, { owners, ids: [id] })
    expect(await custodyOf(world, hostileAddress)).to.equal(owed + 30n)
    await expectOthersUnharmed(world)
  })

  it('gets its own vault once, when it calls back from a payment', async () => {
    const world = await openedIn('HookedToken')
    const { channels, treasury, hostile, hostileAddress, address } = world
    const itself = { address: hostileAddress }
    const payer = channels.connect(treasury)
    await payer.deposit(hostileAddress, 20n)
    await payer.depositFor(hostileAddress, hostileAddress, 50n)
    const own: [string, string, bigint] = [hostileAddress, world.bob.address, 50n]
    const withdraw = channels.interface.encodeFunctionData('withdraw', own)
    await call(hostile, 'prepare', address, withdraw, false)
    await payer.withdraw(hostileAddress, treasury.address, 10n)
    expect(await call(hostile, 'balanceOf', world.bob.address)).to.equal(50n)
    await call(hostile, 'prepare', address, withdraw, false)
    await expect(payer.withdraw(hostileAddress, treasury.address, 10n))
      .to.be.revertedWithCustomError(channels, 'ChannelsInsufficientVault')
      .withArgs(0n, 50n)
    await expectSolvent(world, itself)
  })
})

/** How transfers and permits of NastyToken end. */
const HONEST = 0
const FILL_MEMORY = 1
const RETURN_BOMB = 2
const REVERT_BOMB = 3
const BURN_GAS = 4
/** Gas that other bytes in calldata may cost; a copy of the bomb costs a hundred thousand. */
const NOTHING = 5_000n

const NO_PERMIT = { deadline: 0, v: 0, r: ethers.ZeroHash, s: ethers.ZeroHash }

async function nasty(transfers: number, permits: number): Promise<Hostile> {
  const world = await openedIn('NastyToken')
  await call(world.hostile, 'become', transfers, permits)
  return world
}

type Sent = Promise<{ wait(): Promise<{ gasUsed: bigint } | null> }>
const gasOf = async (transaction: Sent) => (await (await transaction).wait())?.gasUsed ?? 0n

const withdraws = async (world: Hostile) => {
  const { channels, treasury, hostileAddress } = world
  const rows = [await world.pay(400n)]
  return channels.connect(world.bob).claimTo(hostileAddress, HOUR, rows, treasury.address)
}
const opensWithPermit = ({ channels, treasury, terms }: Hostile, gasLimit = 1_000_000n) =>
  channels.connect(treasury).openWithPermit(terms, 5n, 0, NO_PERMIT, { gasLimit })
const closes = async ({ channels, bob, hostileAddress, pay }: Hostile) =>
  channels.connect(bob).closeByPayee(hostileAddress, HOUR, [await pay(400n)])

describe('return-bomb token', () => {
  it('is paid out, and its answer but for one word is not copied', async () => {
    const quiet = await gasOf(withdraws(await nasty(FILL_MEMORY, HONEST)))
    const world = await nasty(RETURN_BOMB, HONEST)
    const loud = await gasOf(withdraws(world))
    expect(loud - quiet).to.be.below(NOTHING)
    expect(await custodyOf(world, world.hostileAddress)).to.equal(600n)
    await expectSolvent(world)
  })

  it('stays where it is when the bomb is a revert', async () => {
    const world = await nasty(REVERT_BOMB, HONEST)
    await expect(withdraws(world)).to.be.revert(ethers)
    expect(await custodyOf(world, world.hostileAddress)).to.equal(1_000n)
    await expectSolvent(world)
  })

  it('makes no permit dear, whose answer is not read at all', async () => {
    const quiet = await gasOf(opensWithPermit(await nasty(HONEST, FILL_MEMORY)))
    for (const habit of [RETURN_BOMB, REVERT_BOMB]) {
      const world = await nasty(HONEST, habit)
      expect((await gasOf(opensWithPermit(world))) - quiet).to.be.below(NOTHING)
      await expectSolvent(world)
    }
  })

  it('makes no close dear, which calls no token', async () => {
    const quiet = await gasOf(closes(await nasty(HONEST, HONEST)))
    const world = await nasty(REVERT_BOMB, REVERT_BOMB)
    expect((await gasOf(closes(world))) - quiet).to.be.below(NOTHING)
    await expectSolvent(world)
  })
})

describe('gas-burning token', () => {
  it('stays where it is, and each side still gets its share into its vault', async () => {
    const world = await nasty(BURN_GAS, HONEST)
    const { channels, treasury, bob, hostileAddress } = world
    await expect(
      channels.connect(treasury).deposit(hostileAddress, 5n, { gasLimit: 1_000_000n }),
    ).to.be.revert(ethers)
    await closes(world)
    expect(await vaultOf(world, hostileAddress, bob)).to.equal(400n)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(600n)
    await expectSolvent(world)
  })

  it('whose permits burn it costs its own payer, and opens if he sends enough', async () => {
    const world = await nasty(HONEST, BURN_GAS)
    await expect(opensWithPermit(world)).to.be.revert(ethers)
    expect((await slotOf(world, world.id)).deposit).to.equal(1_000n)
    await opensWithPermit(world, 15_000_000n)
    expect((await slotOf(world, world.id)).deposit).to.equal(1_005n)
    await expectSolvent(world)
  })
})

describe('rebasing token', () => {
  it('that shrinks leaves its last users with less, and nobody else', async () => {
    const world = await openedIn('RebasingToken')
    const { channels, treasury, bob, hostile, hostileAddress } = world
    await channels.connect(bob).claim(bob.address, hostileAddress, HOUR, [await world.pay(400n)])
    await call(hostile, 'shrinkTo', 50)
    expect(await custodyOf(world, hostileAddress)).to.equal(500n)
    await channels.connect(bob).withdraw(hostileAddress, bob.address, 400n)
    await channels.connect(bob).closeByPayee(hostileAddress, HOUR, [await world.pay(400n)])
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(600n)
    const payer = channels.connect(treasury)
    await expect(payer.withdraw(hostileAddress, treasury.address, 600n)).to.be.revert(ethers)
    await payer.withdraw(hostileAddress, treasury.address, 100n)
    expect(await custodyOf(world, hostileAddress)).to.equal(0n)
    await expectOthersUnharmed(world)
  })
})

describe('token that lies about balances', () => {
  it('is believed, and robs its own users alone', async () => {
    const world = await openedIn('LyingToken')
    const { channels, mallory, treasury, hostile, hostileAddress } = world
    await call(hostile, 'startLying')
    await channels.connect(mallory).deposit(hostileAddress, 1_000n)
    await channels.connect(mallory).withdraw(hostileAddress, mallory.address, 1_000n)
    expect(await call(hostile, 'balanceOf', mallory.address)).to.equal(1_000n)
    // now the payer of the channel finds nothing left
    await channels.connect(treasury).requestClose(world.terms)
    await time.increase(HOUR)
    await expect(
      channels.connect(treasury).finalizeTo(world.terms, treasury.address),
    ).to.be.revertedWithCustomError(hostile, 'ERC20InsufficientBalance')
    await expectOthersUnharmed(world)
  })
})

describe('token with a supply over 2^96', () => {
  it('fills a channel to the brim and no further, and vaults beyond it', async () => {
    const world = await openedIn('HonestToken', MOST)
    const { channels, treasury, bob, hostileAddress, terms } = world
    const payer = channels.connect(treasury)
    await expect(payer.open(terms, 1n, 0))
      .to.be.revertedWithCustomError(channels, 'ChannelsAmountTooLarge')
      .withArgs(1n)
    await payer.deposit(hostileAddress, 5n * MOST)
    const row = { payee: bob.address, signer: treasury.address, amount: MOST, expectedEpoch: 0 }
    const other = { ...row, payee: world.carol.address }
    await payer.openFromVault(hostileAddress, HOUR, [other])
    await expect(payer.openFromVault(hostileAddress, HOUR, [row]))
      .to.be.revertedWithCustomError(channels, 'ChannelsAmountTooLarge')
      .withArgs(MOST)
    expect(await vaultOf(world, hostileAddress, treasury)).to.equal(4n * MOST)
    await channels.claim(bob.address, hostileAddress, HOUR, [await world.pay(MOST)])
    expect(await vaultOf(world, hostileAddress, bob)).to.equal(MOST)
    const carols = await channels.idOf(treasury.address, { ...terms, payee: other.payee })
    const owed = await owedIn(world, hostileAddress, {
      owners: [treasury, bob],
      ids: [world.id, carols],
    })
    expect(await custodyOf(world, hostileAddress)).to.equal(owed)
    await expectOthersUnharmed(world)
  })
})
