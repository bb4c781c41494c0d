/** ERC-2612 permits of this relay's account, where a token takes them. */
import { errorCode, type Hex, PERMIT_TYPES, permitDomain, toHex } from '@mainframe/protocol'
import { type Result, Signature, Wallet } from 'ethers'
import { callView, erc20Contract } from './contracts.ts'
import type { Rpc } from './rpc.ts'

/** What is to be permitted. */
export interface PermitWish {
  rpc: Rpc
  chainId: number
  token: Hex
  /** 32-byte key of the owner. */
  secretKey: Uint8Array
  spender: Hex
  valueBase: bigint
}

/** As PaymentChannels takes it. */
export interface Permit {
  deadline: bigint
  v: number
  r: string
  s: string
}

const VALID_SECONDS = 3_600n

/**
 * A permit that the token would take now; `undefined` for a token without (ERC-20 promises none), or
 * with others. Throws `CHAIN_UNREACHABLE`.
 */
export async function signPermit(wish: PermitWish): Promise<Permit | undefined> {
  const { rpc, chainId, token: address, secretKey, spender, valueBase: value } = wish
  const wallet = new Wallet(toHex(secretKey))
  const ask = (method: string, ...args: unknown[]) =>
    answerOf(callView(rpc, { to: address, contract: erc20Contract, method, args }))
  const [separator, nonce, name, version] = await Promise.all([
    ask('DOMAIN_SEPARATOR'),
    ask('nonces', wallet.address),
    ask('name'),
    ask('version'),
  ])
  if (!separator || !nonce || !name) return undefined
  const told = { name: String(name[0]), version: version && String(version[0]) }
  const domain = permitDomain({ address, chainId, ...told, separator: separator[0] as Hex })
  if (!domain) return undefined
  const { timestamp } = await rpc.request<{ timestamp: Hex }>('eth_getBlockByNumber', [
    'latest',
    false,
  ])
  const deadline = BigInt(timestamp) + VALID_SECONDS
  const message = { owner: wallet.address, spender, value, nonce: nonce[0], deadline }
  const signed = await wallet.signTypedData(domain, PERMIT_TYPES, message)
  const { v, r, s } = Signature.from(signed)
  // some tokens have another permit under these names: a call that changes nothing tells
  const isTaken = await ask('permit', wallet.address, spender, value, deadline, v, r, s)
  return isTaken && { deadline, v, r, s }
}

/** What a view answers; `undefined` when the contract has none like it, or means something else by it. */
async function answerOf(asked: Promise<Result>): Promise<unknown[] | undefined> {
  try {
    return [...(await asked)] // ethers throws for what does not decode when it is looked at
  } catch (error) {
    const code = errorCode(error)
    if (code === undefined || code === 'CHAIN_REJECTED' || code === 'CHAIN_MISMATCH')
      return undefined
    throw error
  }
}
