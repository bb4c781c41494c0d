/** The chain as a client reads it: headers, calls at a block, and the four contracts' views. */
import {
  type BoardRow,
  COIN_TOKEN,
  type Deployment,
  type Hex,
  type LogHead,
  MainframeError,
  mainframeTokenAbi,
  PERMIT_TOKEN_ABI,
  paymentChannelsAbi,
  priceBoardAbi,
  type RawLog,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import {
  FetchRequest,
  Interface,
  type InterfaceAbi,
  JsonRpcProvider,
  Network,
  toQuantity,
} from 'ethers'
import { chainError } from './chain-error.ts'
import { readLogHead, readLogs } from './chain-logs.ts'

/** The part of a block header that clients look at. */
export interface Header {
  number: number
  hash: Hex
  /** Unix seconds. */
  time: number
}

/** What the registry stores of a node. */
export interface NodeState {
  stake: bigint
  registeredBlock: number
  /** Zero when the node is not active. */
  recordHash: Hex
}

/** The storage slot of a channel; a deposit of zero means that it is not open. */
export interface ChannelSlot {
  deposit: bigint
  claimed: bigint
  /** Unix seconds from which the payer may finalize; 0 when no close was requested. */
  closesAt: number
  epoch: number
}

/** Which row of the price board. */
export interface RowKey {
  nodeId: Hex
  service: Hex
  token: Hex
}

/** What a directory is checked against; `at` is the hash of a block. */
export interface DirectoryChain {
  latest(): Promise<Header>
  /** Headers by number; `undefined` for blocks that the chain does not have. */
  headers(numbers: readonly number[]): Promise<(Header | undefined)[]>
  states(nodeIds: readonly Hex[], at: Hex): Promise<NodeState[]>
  rows(keys: readonly RowKey[], at: Hex): Promise<BoardRow[]>
  /** Where the verifiable log of registry or board stands after a block. */
  logHead(contract: 'registry' | 'board', at: Hex): Promise<LogHead>
  /** Logs of registry, board and channels, both ends included; `CHAIN_REJECTED` for too many. */
  logs(fromBlock: number, toBlock: number): Promise<RawLog[]>
}

const REQUEST_TIMEOUT_MS = 15_000
/** Nodes of one call: 200 records are read for about 2 million gas, which every RPC allows. */
const NODES_PER_CALL = 200

const registry = new Interface(serviceRegistryAbi as InterfaceAbi)
const board = new Interface(priceBoardAbi as InterfaceAbi)
const channels = new Interface(paymentChannelsAbi as InterfaceAbi)
const token = new Interface(mainframeTokenAbi as InterfaceAbi)
const erc20 = new Interface(PERMIT_TOKEN_ABI)

/** Whom to call, with what, and at which block (a hash, or the newest). */
interface Call {
  to: Hex
  abi: Interface
  method: string
  args: readonly unknown[]
  at?: Hex
}

export class Chain implements DirectoryChain {
  readonly deployment: Deployment
  readonly provider: JsonRpcProvider

  private constructor(deployment: Deployment, provider: JsonRpcProvider) {
    this.deployment = deployment
    this.provider = provider
  }

  /** Throws `CHAIN_UNREACHABLE`, or `CHAIN_MISMATCH` when this is not the deployment's chain. */
  static async open(options: {
    rpcUrl: string
    deployment: Deployment
    pollMs: number
  }): Promise<Chain> {
    const { rpcUrl, deployment, pollMs } = options
    const request = new FetchRequest(rpcUrl)
    request.timeout = REQUEST_TIMEOUT_MS
    const network = Network.from(deployment.chainId)
    const provider = new JsonRpcProvider(request, network, {
      staticNetwork: network,
      pollingInterval: pollMs,
      cacheTimeout: -1,
    })
    const chain = new Chain(deployment, provider)
    try {
      await chain.#assertDeployed()
      return chain
    } catch (error) {
      provider.destroy()
      throw error
    }
  }

  close(): void {
    this.provider.destroy()
  }

  /** Any JSON-RPC call. Throws `CHAIN_UNREACHABLE` or `CHAIN_REJECTED`; never with the URL in it. */
  async request(method: string, params: readonly unknown[]): Promise<unknown> {
    try {
      return await this.provider.send(method, [...params])
    } catch (cause) {
      throw chainError(cause, method)
    }
  }

  async latest(): Promise<Header> {
    const header = headerOf(await this.request('eth_getBlockByNumber', ['latest', false]))
    if (!header) throw new MainframeError('CHAIN_UNREACHABLE', 'The chain RPC knows no block')
    return header
  }

  async headers(numbers: readonly number[]): Promise<(Header | undefined)[]> {
    return await Promise.all(
      numbers.map(async (number) =>
        headerOf(await this.request('eth_getBlockByNumber', [toQuantity(number), false])),
      ),
    )
  }

  async states(nodeIds: readonly Hex[], at: Hex): Promise<NodeState[]> {
    const to = this.deployment.registry
    return await inBatches(nodeIds, async (ids) => {
      const [states] = await this.#call({ to, abi: registry, method: 'states', args: [ids], at })
      return (states as Record<string, unknown>[]).map((state) => ({
        stake: BigInt(String(state['stake'])),
        registeredBlock: Number(state['registeredBlock']),
        recordHash: lower(state['recordHash']),
      }))
    })
  }

  async rows(keys: readonly RowKey[], at: Hex): Promise<BoardRow[]> {
    const to = this.deployment.board
    return await inBatches(keys, async (part) => {
      const args = [
        part.map(({ nodeId }) => nodeId),
        part.map(({ service }) => service),
        part.map((key) => key.token),
      ]
      const [rows] = await this.#call({ to, abi: board, method: 'rows', args, at })
      return (rows as Record<string, unknown>[]).map(rowOf)
    })
  }

  logHead(contract: 'registry' | 'board', at: Hex): Promise<LogHead> {
    return readLogHead(this, this.deployment[contract], at)
  }

  logs(fromBlock: number, toBlock: number): Promise<RawLog[]> {
    return readLogs(this, this.deployment, { fromBlock, toBlock })
  }

  /** The slots of channels as of the newest block. */
  async slots(channelIds: readonly Hex[]): Promise<ChannelSlot[]> {
    if (channelIds.length === 0) return []
    const to = this.deployment.channels
    const [slots] = await this.#call({ to, abi: channels, method: 'slots', args: [channelIds] })
    return (slots as Record<string, unknown>[]).map((slot) => ({
      deposit: BigInt(String(slot['deposit'])),
      claimed: BigInt(String(slot['claimed'])),
      closesAt: Number(slot['closesAt']),
      epoch: Number(slot['epoch']),
    }))
  }

  /** Bounds of the notice of a channel, in seconds. */
  async noticeBounds(): Promise<{ minimum: number; maximum: number }> {
    const to = this.deployment.channels
    const [, minimum, maximum] = await this.#call({
      to,
      abi: channels,
      method: 'immutables',
      args: [],
    })
    return { minimum: Number(minimum), maximum: Number(maximum) }
  }

  /** What an account has of a token in its wallet and in its vault, in base units. */
  async funds(of: Hex, account: Hex): Promise<{ wallet: bigint; vault: bigint }> {
    const wallet =
      of === COIN_TOKEN
        ? this.request('eth_getBalance', [account, 'latest'])
        : this.erc20(of, 'balanceOf', [account]).then(([balance]) => balance)
    const [inWallet, [vault = 0n]] = await Promise.all([wallet, this.vaults([of], account)])
    return { wallet: BigInt(String(inWallet)), vault }
  }

  /** What an account has of tokens in its vault, in their order. */
  async vaults(tokens: readonly Hex[], account: Hex): Promise<readonly bigint[]> {
    const args = [tokens, account]
    const call = { to: this.deployment.channels, abi: channels, method: 'vaults', args }
    const [balances] = await this.#call(call)
    return balances as bigint[]
  }

  /** What a token answers. Throws `CHAIN_REJECTED` or `CHAIN_MISMATCH` when it knows no such call. */
  async erc20(to: Hex, method: string, args: readonly unknown[]): Promise<readonly unknown[]> {
    return await this.#call({ to, abi: erc20, method, args })
  }

  async #assertDeployed(): Promise<void> {
    const { chainId, token, registry, board, channels } = this.deployment
    const answered = Number(await this.request('eth_chainId', []))
    if (answered !== chainId) {
      throw new MainframeError(
        'CHAIN_MISMATCH',
        `The RPC serves chain ${answered}, the deployment is on chain ${chainId}; check the RPC address`,
      )
    }
    for (const address of [token, registry, board, channels]) {
      if ((await this.request('eth_getCode', [address, 'latest'])) === '0x') {
        throw new MainframeError(
          'CHAIN_MISMATCH',
          `There is no contract at ${address}; check the deployment's addresses`,
          { details: { address } },
        )
      }
    }
  }

  async #call({ to, abi, method, args, at }: Call): Promise<readonly unknown[]> {
    const data = abi.encodeFunctionData(method, args)
    const block = at ? { blockHash: at } : 'latest'
    const answer = await this.request('eth_call', [{ to, data }, block])
    try {
      return abi.decodeFunctionResult(method, String(answer)).toArray()
    } catch (cause) {
      throw new MainframeError('CHAIN_MISMATCH', `${method} answers what its contract would not`, {
        cause,
        details: { method },
      })
    }
  }
}

async function inBatches<In, Out>(
  items: readonly In[],
  call: (part: readonly In[]) => Promise<Out[]>,
): Promise<Out[]> {
  const parts: Promise<Out[]>[] = []
  for (let i = 0; i < items.length; i += NODES_PER_CALL) {
    parts.push(call(items.slice(i, i + NODES_PER_CALL)))
  }
  return (await Promise.all(parts)).flat()
}

function lower(value: unknown): Hex {
  return String(value).toLowerCase() as Hex
}

function rowOf(row: Record<string, unknown>): BoardRow {
  return {
    service: lower(row['service']),
    token: lower(row['token']),
    price: BigInt(String(row['price'])),
    next: BigInt(String(row['next'])),
    nextFrom: Number(row['nextFrom']),
    unit: Number(row['unit']),
    active: row['active'] === true,
  }
}

function headerOf(block: unknown): Header | undefined {
  if (typeof block !== 'object' || block === null) return undefined
  const { number, hash, timestamp } = block as Record<string, unknown>
  return { number: Number(number), hash: lower(hash), time: Number(timestamp) }
}

/** Decodes and encodes for those who send transactions. */
export const contractInterfaces = { channels, token, erc20 }
