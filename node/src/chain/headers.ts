/** Single blocks, as the chain's node has them. */
import { MainframeError } from '@mainframe/protocol'
import { toQuantity } from 'ethers'
import { type Header, parseHeader } from './answers.ts'
import type { Rpc } from './rpc.ts'

/** Rejects with `CHAIN_MISMATCH`, retryable, where the node lags behind; errors as `Rpc.request`. */
export async function fetchHeader(rpc: Rpc, block: number | 'latest'): Promise<Header> {
  const tag = block === 'latest' ? block : toQuantity(block)
  const header = parseHeader(await rpc.request('eth_getBlockByNumber', [tag, false]))
  if (header) return header
  const message = `The chain's node does not have block ${block} yet`
  throw new MainframeError('CHAIN_MISMATCH', message, { retryable: true })
}
