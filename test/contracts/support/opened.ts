import { deployed, ethers, MFT } from './chain.ts'
import { termsOf, voucher } from './channels.ts'

export const DEPOSIT = 100n * MFT

/** Alice and Carol have a channel to Bob each. */
export async function opened() {
  const contracts = await deployed()
  const { token, channels, alice, bob, carol } = contracts
  const mft = await token.getAddress()
  const terms = termsOf(alice, bob, mft)
  const carols = termsOf(carol, bob, mft)
  for (const [payer, its] of [[alice, terms] as const, [carol, carols] as const]) {
    await token.connect(payer).approve(channels, ethers.MaxUint256)
    await channels.connect(payer).open(its, DEPOSIT, 0)
  }
  const id = await channels.idOf(alice.address, terms)
  const carolsId = await channels.idOf(carol.address, carols)
  return { ...contracts, mft, terms, carols, id, carolsId, people: [alice, bob, carol] }
}

export type Opened = Awaited<ReturnType<typeof opened>>

/** A voucher of Alice's channel, by default a good one. */
export const fromAlice = (world: Opened, amount: bigint, changes = {}) =>
  voucher(world, { payer: world.alice, terms: world.terms, amount, ...changes })

/** A good voucher of Carol's channel. */
export const fromCarol = (world: Opened, amount: bigint) =>
  voucher(world, { payer: world.carol, terms: world.carols, amount })
