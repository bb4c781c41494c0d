import { type Account, type Contracts, ethers, HOUR, ZERO } from './chain.ts'

/** The payer's agreement as the contract takes it. */
export interface Terms {
  payee: string
  token: string
  signer: string
  notice: number
}

export interface ClaimRow {
  payer: string
  signer: string
  amount: bigint
  r: string
  vs: string
}

export const voucherTypes = {
  Voucher: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'epoch', type: 'uint24' },
    { name: 'amount', type: 'uint96' },
  ],
}
export const releaseTypes = {
  Release: [
    { name: 'channelId', type: 'bytes32' },
    { name: 'epoch', type: 'uint24' },
    { name: 'finalAmount', type: 'uint96' },
  ],
}

/** Terms with an hour's notice whose signer is the payer himself. */
export function termsOf(payer: Account, payee: { address: string }, token: string): Terms {
  return { payee: payee.address, token, signer: payer.address, notice: HOUR }
}

/** The EIP-712 domain of the deployed channels. */
export async function domainOf({ channels }: Contracts) {
  const { chainId } = await ethers.provider.getNetwork()
  return {
    name: 'Mainframe PaymentChannels',
    version: '1',
    chainId,
    verifyingContract: await channels.getAddress(),
  }
}

interface Signing {
  payer: { address: string }
  terms: Terms
  amount: bigint
  epoch?: number
  /** Who signs, by default the payer, who has to be an account then. */
  by?: Account
}

/** A voucher as a row of a claim, signed by ethers. */
export async function voucher(
  contracts: Contracts,
  { payer, terms, amount, epoch = 1, by = payer as Account }: Signing,
): Promise<ClaimRow> {
  const channelId = await contracts.channels.idOf(payer.address, terms)
  const signature = ethers.Signature.from(
    await by.signTypedData(await domainOf(contracts), voucherTypes, { channelId, epoch, amount }),
  )
  const { r, yParityAndS: vs } = signature
  return { payer: payer.address, signer: terms.signer, amount, r, vs }
}

/** A release of the payee, signed by ethers. */
export async function release(
  contracts: Contracts,
  { payer, terms, amount, epoch = 1, by = payer as Account }: Signing,
): Promise<{ r: string; vs: string }> {
  const channelId = await contracts.channels.idOf(payer.address, terms)
  const message = { channelId, epoch, finalAmount: amount }
  const signature = ethers.Signature.from(
    await by.signTypedData(await domainOf(contracts), releaseTypes, message),
  )
  return { r: signature.r, vs: signature.yParityAndS }
}

/** The channel's slot as plain numbers. */
export async function slotOf({ channels }: Contracts, id: string) {
  const [slot] = await channels.slots([id])
  if (slot === undefined) return { deposit: 0n, claimed: 0n, closesAt: 0n, epoch: 0n }
  const { deposit, claimed, closesAt, epoch } = slot
  return { deposit, claimed, closesAt, epoch }
}

/** What the owner's vault holds of a token. */
export async function vaultOf({ channels }: Contracts, token: string, owner: { address: string }) {
  const [balance] = await channels.vaults([token], owner.address)
  return balance
}

/** Where money is: the contract's own balance, and the wallet and vault of every account. */
export async function ledger(
  contracts: Contracts,
  token: string,
  accounts: { address: string }[],
): Promise<bigint[]> {
  const custody = await balanceOf(contracts, token, await contracts.channels.getAddress())
  const rest = accounts.map(async (account) => [
    await balanceOf(contracts, token, account.address),
    await vaultOf(contracts, token, account),
  ])
  return [custody, ...(await Promise.all(rest)).flat()] as bigint[]
}

async function balanceOf({ token: mft }: Contracts, token: string, owner: string): Promise<bigint> {
  if (token === ZERO) return ethers.provider.getBalance(owner)
  return (mft.attach(token) as Contracts['token']).balanceOf(owner)
}

/** What moved between two ledgers. */
export function moved(before: bigint[], after: bigint[]): bigint[] {
  return after.map((amount, index) => amount - (before[index] ?? 0n))
}
