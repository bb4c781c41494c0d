/** ERC-2612 permits of the paying account, where token and signer know them. */
import { errorCode, type Hex, PERMIT_TYPES, permitDomain } from '@mainframe/protocol'
import { Signature } from 'ethers'
import type { Account } from './account.ts'
import type { Chain } from './chain.ts'

/** As PaymentChannels takes it. */
export interface Permit {
  deadline: bigint
  v: number
  r: string
  s: string
}

const VALID_SECONDS = 3_600

/**
 * A permit for PaymentChannels that the token would take now; `undefined` for a token or a signer
 * without. Throws `CHAIN_UNREACHABLE`.
 */
export async function signPermit(
  { chain, account }: { chain: Chain; account: Account },
  token: Hex,
  value: bigint,
): Promise<Permit | undefined> {
  const { chainId, channels: spender } = chain.deployment
  const ask = (method: string, ...args: unknown[]) => answerOf(chain.erc20(token, method, args))
  const owner = account.address
  const [separator, nonce, name, version] = await Promise.all([
    ask('DOMAIN_SEPARATOR'),
    ask('nonces', owner),
    ask('name'),
    ask('version'),
  ])
  if (!separator || !nonce || !name) return undefined
  const told = { name: String(name[0]), version: version && String(version[0]) }
  const domain = permitDomain({ address: token, chainId, ...told, separator: separator[0] as Hex })
  if (!domain) return undefined
  const { time } = await chain.latest()
  const deadline = BigInt(time + VALID_SECONDS)
  const message = { owner, spender, value, nonce: nonce[0], deadline }
  const signed = await account.signTypedData(domain, PERMIT_TYPES, message)
  if (signed === undefined) return undefined
  const { v, r, s } = Signature.from(signed)
  // some tokens have another permit under these names: a call that changes nothing tells
  const isTaken = await ask('permit', owner, spender, value, deadline, v, r, s)
  return isTaken && { deadline, v, r, s }
}

/** What a view answers; `undefined` when the contract has none like it. */
async function answerOf(
  asked: Promise<readonly unknown[]>,
): Promise<readonly unknown[] | undefined> {
  try {
    return await asked
  } catch (error) {
    const code = errorCode(error)
    if (code === 'CHAIN_REJECTED' || code === 'CHAIN_MISMATCH') return undefined
    throw error
  }
}
