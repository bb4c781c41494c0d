/** Where every base unit of MFT is, read from the chain after the claims. */
import {
  type Deployment,
  fromHex,
  type Hex,
  mainframeTokenAbi,
  paymentChannelsAbi,
  serviceRegistryAbi,
  toHex,
} from '@mainframe/protocol'
import { Contract, type EventLog, type JsonRpcProvider } from 'ethers'
import type { Chain } from './chain.ts'

/** Whose money is counted as a relay's: the hot account's, the operator's, and the stake. */
export interface RelayAccounts {
  nodeId: Hex
  hot: Hex
  operator: Hex
}

/** All in base units of MFT. `ok`: deposited = relaysNet + unsigned, to the last unit. */
export interface Conservation {
  deposited: bigint
  relaysNet: bigint
  /** By relay, in the order asked: what it earned from users and others, less what it paid on. */
  nets: bigint[]
  unsigned: bigint
  ok: boolean
  /** Gas that relays and users paid, in base units of the chain's coin. */
  gasSpent: bigint
}

interface OpenedChannel {
  payer: Hex
  deposit: bigint
  claimed: bigint
}

/** Coin that every account was given for gas. */
const COIN_GRANT = 10n ** 18n

const sum = (values: readonly bigint[]) => values.reduce((total, value) => total + value, 0n)
const lower = (text: string) => text.toLowerCase() as Hex

/** Reads balances, vaults, stakes and channel slots, and adds them up by owner. */
export async function readConservation(
  chain: Chain,
  relays: readonly RelayAccounts[],
  users: readonly Hex[],
): Promise<Conservation> {
  const { provider } = chain
  const channels = await readChannels(provider, chain.deployment)
  const paidByUsers = channels.filter(({ payer }) => users.map(lower).includes(payer))
  const deposited = sum(paidByUsers.map(({ deposit }) => deposit))
  const unsigned = sum(paidByUsers.map(({ deposit, claimed }) => deposit - claimed))
  const nets = await Promise.all(relays.map((relay) => readNet(chain, channels, relay)))
  const relaysNet = sum(nets)
  const accounts = [...relays.flatMap(({ hot, operator }) => [hot, operator]), ...users]
  const coins = await Promise.all(accounts.map((account) => provider.getBalance(account)))
  const gasSpent = sum(coins.map((coin) => COIN_GRANT - coin))
  const ok = deposited === relaysNet + unsigned
  return { deposited, relaysNet, nets, unsigned, ok, gasSpent }
}

async function readChannels(provider: JsonRpcProvider, deployment: Deployment) {
  const contract = new Contract(deployment.channels, paymentChannelsAbi, provider)
  const opened = (await contract.queryFilter('Opened', deployment.block)) as EventLog[]
  const payers = new Map(
    opened.map(({ args }) => [String(args['id']), lower(String(args['payer']))]),
  )
  const slots = await contract.getFunction('slots')([...payers.keys()])
  return [...payers.values()].map((payer, i): OpenedChannel => {
    const { deposit, claimed } = slots[i] as { deposit: bigint; claimed: bigint }
    return { payer, deposit, claimed }
  })
}

/** What a relay has more than it was given: wallets, vault, stake, its own deposits less what is gone. */
async function readNet(
  { provider, deployment, treasury }: Chain,
  channels: readonly OpenedChannel[],
  { nodeId, hot, operator }: RelayAccounts,
): Promise<bigint> {
  const token = new Contract(deployment.token, mainframeTokenAbi, provider)
  const vaults = new Contract(deployment.channels, paymentChannelsAbi, provider)
  const registry = new Contract(deployment.registry, serviceRegistryAbi, provider)
  const balanceOf = (account: Hex) => token.getFunction('balanceOf')(account) as Promise<bigint>
  const [hotWallet, operatorWallet, [vault], [state], granted] = await Promise.all([
    balanceOf(hot),
    balanceOf(operator),
    vaults.getFunction('vaults')([deployment.token], hot) as Promise<bigint[]>,
    registry.getFunction('states')([nodeId]) as Promise<{ stake: bigint }[]>,
    Promise.all([hot, operator].map((account) => readGrants(token, treasury, account, deployment))),
  ])
  const own = channels.filter(({ payer }) => payer === lower(hot))
  const locked = sum(own.map(({ deposit, claimed }) => deposit - claimed))
  return hotWallet + operatorWallet + (vault ?? 0n) + (state?.stake ?? 0n) + locked - sum(granted)
}

async function readGrants(token: Contract, from: Hex, to: Hex, { block }: Deployment) {
  const filter = token.filters['Transfer']?.(from, to)
  if (!filter) return 0n
  const transfers = (await token.queryFilter(filter, block)) as EventLog[]
  return sum(transfers.map(({ args }) => args['value'] as bigint))
}

/** The first and last digits of an id, for people. */
export function shortId(id: Hex): string {
  return toHex(fromHex(id).subarray(0, 4))
}
