/** The contracts' interfaces, calls of their views, and their errors in words. */
import {
  errorCode,
  type Hex,
  MainframeError,
  mainframeTokenAbi,
  PERMIT_TOKEN_ABI,
  paymentChannelsAbi,
  priceBoardAbi,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import { type ErrorDescription, Interface, type Result } from 'ethers'
import type { Rpc } from './rpc.ts'

export const tokenContract = new Interface(mainframeTokenAbi)
/** What is called of any ERC-20. */
export const erc20Contract = new Interface(PERMIT_TOKEN_ABI)
export const registryContract = new Interface(serviceRegistryAbi)
export const boardContract = new Interface(priceBoardAbi)
export const channelsContract = new Interface(paymentChannelsAbi)

/** `transferAndCall` has two forms; this is the one with data. */
export const TRANSFER_AND_CALL = 'transferAndCall(address,uint256,bytes)'

/** A view of a contract. */
export interface ViewCall {
  to: Hex
  contract: Interface
  method: string
  args: readonly unknown[]
  /** Block tag, or a block by hash (EIP-1898); the latest by default. */
  block?: string | { blockHash: Hex }
}

/** What a view answers. Throws `CHAIN_REJECTED` with the contract's reason, `CHAIN_UNREACHABLE`. */
export async function callView(rpc: Rpc, call: ViewCall): Promise<Result> {
  const { to, contract, method, args, block = 'latest' } = call
  const data = contract.encodeFunctionData(method, args)
  const answer = await rpc.request<Hex>('eth_call', [{ to, data }, block]).catch((cause) => {
    throw withReason(cause, method)
  })
  try {
    return contract.decodeFunctionResult(method, answer)
  } catch (cause) {
    const message = `${to} does not answer ${method} as the project's contract does`
    throw new MainframeError('CHAIN_MISMATCH', message, { cause })
  }
}

/** What the contract keeps of a channel; all zero when it was never open. */
export interface ChannelSlot {
  /** Base units; zero when it is not open. */
  deposit: bigint
  claimed: bigint
  /** Unix seconds from which the payer may finalize; 0 when no close was requested. */
  closesAt: number
  epoch: number
}

/** Slots that one call reads. */
const MAX_SLOTS = 500

/** The slots of channels as of the newest block, in their order. Errors as {@link callView}. */
export async function fetchSlots(
  rpc: Rpc,
  channels: Hex,
  channelIds: readonly Hex[],
): Promise<ChannelSlot[]> {
  const slots: ChannelSlot[] = []
  for (let i = 0; i < channelIds.length; i += MAX_SLOTS) {
    const part = channelIds.slice(i, i + MAX_SLOTS)
    const call = { to: channels, contract: channelsContract, method: 'slots', args: [part] }
    const [read] = await callView(rpc, call)
    if (read.length !== part.length) throw wrongCount(channels, read.length, part.length)
    for (const { deposit, claimed, closesAt, epoch } of read) {
      slots.push({ deposit, claimed, closesAt: Number(closesAt), epoch: Number(epoch) })
    }
  }
  return slots
}

function wrongCount(channels: Hex, found: number, asked: number): MainframeError {
  const message = `${channels} answers ${found} slots for ${asked} channels`
  return new MainframeError('CHAIN_MISMATCH', message, { retryable: true })
}

/** The error of a call with the contract's own words for it, where it gave any. */
export function withReason(error: unknown, what: string): unknown {
  if (!(error instanceof MainframeError) || errorCode(error) !== 'CHAIN_REJECTED') return error
  const { data } = error.details
  const reason = typeof data === 'string' ? describeRevert(data as Hex) : undefined
  if (!reason) return error
  return new MainframeError('CHAIN_REJECTED', `${what} reverted: ${reason}`, {
    cause: error,
    details: { reason: reason.split('(')[0], data },
  })
}

/** A revert in words: a custom error of our contracts with its arguments, or a plain reason. */
export function describeRevert(data: Hex): string | undefined {
  if (data === '0x') return undefined
  for (const contract of [channelsContract, registryContract, boardContract, tokenContract]) {
    const parsed = parseError(contract, data)
    if (parsed) return `${parsed.name}(${parsed.args.map(String).join(', ')})`
  }
  return `unknown error ${data.slice(0, 10)}`
}

/** ethers throws on data that starts like an error but does not decode. */
function parseError(contract: Interface, data: Hex): ErrorDescription | undefined {
  try {
    return contract.parseError(data) ?? undefined
  } catch {
    return undefined
  }
}
