import { expect } from 'chai'
import type { Contract } from 'ethers'
import { deployed, ethers, HOUR, MFT, mock, networkHelpers, ZERO } from './chain.ts'
import { slotOf, termsOf, vaultOf, voucher } from './channels.ts'

/** A contract of test/contracts/mocks, called by name. */
export const deployMock = (name: string, ...args: unknown[]) => mock<Contract>(name, ...args)
export const call = (contract: Contract, name: string, ...args: unknown[]) =>
  contract.getFunction(name)(...args)

const VAULT = 1_000n * MFT
const DEPOSIT = 100n * MFT
const CLAIMED = 30n * MFT

/** Alice has a vault and a channel to Bob, who claimed some of it, in MFT, another honest token and the coin. */
export async function standing() {
  const contracts = await deployed()
  const { token, channels, alice, bob } = contracts
  const honest = await deployMock('HonestToken')
  await call(honest, 'transfer', alice.address, VAULT + DEPOSIT)
  const mft = await token.getAddress()
  const media = [mft, await honest.getAddress(), ZERO]
  await token.connect(alice).approve(channels, ethers.MaxUint256)
  await call(honest.connect(alice) as Contract, 'approve', channels, ethers.MaxUint256)
  for (const medium of media) {
    const value = (amount: bigint) => ({ value: medium === ZERO ? amount : 0n })
    await channels.connect(alice).deposit(medium, VAULT, value(VAULT))
    const terms = termsOf(alice, bob, medium)
    await channels.connect(alice).open(terms, DEPOSIT, 0, value(DEPOSIT))
    const row = await voucher(contracts, { payer: alice, terms, amount: CLAIMED })
    await channels.claim(bob.address, medium, HOUR, [row])
  }
  return { ...contracts, mft, media, address: await channels.getAddress() }
}

type Standing = Awaited<ReturnType<typeof standing>>

/** A channel of the treasury to Bob in a token of test/contracts/mocks, beside all that stands. */
export async function openedIn(name: string, amount = 1_000n) {
  const world = await networkHelpers.loadFixture(standing)
  const { channels, treasury, bob } = world
  const hostile = await deployMock(name)
  const hostileAddress = await hostile.getAddress()
  await call(hostile, 'approve', channels, ethers.MaxUint256)
  const terms = termsOf(treasury, bob, hostileAddress)
  await channels.connect(treasury).open(terms, amount, 0)
  const id = await channels.idOf(treasury.address, terms)
  const pay = (total: bigint) => voucher(world, { payer: treasury, terms, amount: total })
  return { ...world, hostile, hostileAddress, terms, id, pay }
}

/**
 * Nothing happened to MFT, the other honest token and the coin: the contract holds what it owes in each of them, as
 * before, and everybody gets his share out.
 */
export async function expectOthersUnharmed(world: Standing): Promise<void> {
  const { channels, alice, bob, carol, media } = world
  for (const medium of media) {
    const terms = termsOf(alice, bob, medium)
    const { deposit, claimed } = await slotOf(world, await channels.idOf(alice.address, terms))
    expect([deposit, claimed]).to.deep.equal([DEPOSIT, CLAIMED])
    const owed = VAULT + CLAIMED + (deposit - claimed)
    expect(await custodyOf(world, medium)).to.equal(owed)
    expect(await vaultOf(world, medium, alice)).to.equal(VAULT)
    expect(await vaultOf(world, medium, bob)).to.equal(CLAIMED)
    await channels.connect(alice).withdraw(medium, carol.address, VAULT)
    await channels.connect(bob).withdraw(medium, carol.address, CLAIMED)
    const last = await voucher(world, { payer: alice, terms, amount: DEPOSIT })
    await channels.connect(bob).closeByPayeeTo(medium, HOUR, [last], carol.address)
    expect(await custodyOf(world, medium)).to.equal(0n)
  }
}

/** What the contract holds of a token or the coin. */
export async function custodyOf({ token, address }: Standing, medium: string): Promise<bigint> {
  if (medium === ZERO) return ethers.provider.getBalance(address)
  return (token.attach(medium) as Standing['token']).balanceOf(address)
}

/** What the contract owes of a token: these vaults, and the rest of these channels. */
export async function owedIn(
  world: Standing,
  medium: string,
  { owners, ids }: { owners: { address: string }[]; ids: string[] },
): Promise<bigint> {
  const held = await Promise.all(owners.map((owner) => vaultOf(world, medium, owner)))
  const slots = await world.channels.slots(ids)
  const sum = (list: (bigint | undefined)[]) => list.reduce<bigint>((a, b) => a + (b ?? 0n), 0n)
  return sum(held) + sum(slots.map(({ deposit, claimed }) => deposit - claimed))
}
