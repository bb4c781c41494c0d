import type { Account, Contracts } from './chain.ts'
import { ethers } from './chain.ts'

const types = {
  Permit: [
    { name: 'owner', type: 'address' },
    { name: 'spender', type: 'address' },
    { name: 'value', type: 'uint256' },
    { name: 'nonce', type: 'uint256' },
    { name: 'deadline', type: 'uint256' },
  ],
}

/** An ERC-2612 permit for MFT. */
export async function permitOf(
  { token }: Contracts,
  { owner, spender, value }: { owner: Account; spender: string; value: bigint },
) {
  const { chainId } = await ethers.provider.getNetwork()
  const domain = {
    name: await token.name(),
    version: '1',
    chainId,
    verifyingContract: await token.getAddress(),
  }
  const deadline = ethers.MaxUint256
  const nonce = await token.nonces(owner.address)
  const message = { owner: owner.address, spender, value, nonce, deadline }
  const { v, r, s } = ethers.Signature.from(await owner.signTypedData(domain, types, message))
  return { deadline, v, r, s }
}
