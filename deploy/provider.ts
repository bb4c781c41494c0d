import { type Hex, MainframeError } from '@mainframe/protocol'
import { toQuantity } from 'ethers'

/** The part of EIP-1193 that a deployment needs. */
export interface RequestProvider {
  request(call: { method: string; params?: readonly unknown[] | object }): Promise<unknown>
}

interface JsonRpcAnswer {
  result?: unknown
  error?: { code: number; message: string; data?: unknown }
}

/** A number that the chain answers as a hex quantity. */
export async function askNumber(
  provider: RequestProvider,
  method: string,
  ...params: unknown[]
): Promise<number> {
  return Number(await provider.request({ method, params }))
}

/** The number of transactions an account has sent; with `pending`, those under way included. */
export async function countTransactions(
  provider: RequestProvider,
  account: string,
  block: number | 'latest' | 'pending',
): Promise<number> {
  const tag = typeof block === 'number' ? toQuantity(block) : block
  return await askNumber(provider, 'eth_getTransactionCount', account, tag)
}

export async function fetchCode(provider: RequestProvider, address: string): Promise<Hex> {
  return (await provider.request({ method: 'eth_getCode', params: [address, 'latest'] })) as Hex
}

/** An EIP-1193 provider over HTTP JSON-RPC; refuses with CHAIN_UNREACHABLE or CHAIN_REJECTED. */
export function createHttpProvider(rpcUrl: string): RequestProvider {
  let id = 0
  return {
    async request({ method, params = [] }) {
      id += 1
      const { result, error } = await post(rpcUrl, { jsonrpc: '2.0', id, method, params })
      if (error === undefined) return result
      throw new MainframeError('CHAIN_REJECTED', `${method}: ${error.message}`, {
        details: { method, rpcCode: error.code },
      })
    },
  }
}

async function post(url: string, body: object): Promise<JsonRpcAnswer> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    return (await response.json()) as JsonRpcAnswer
  } catch (cause) {
    // the address may carry a key: it is not repeated here
    throw new MainframeError('CHAIN_UNREACHABLE', 'the chain RPC does not answer', {
      cause,
      retryable: true,
    })
  }
}
