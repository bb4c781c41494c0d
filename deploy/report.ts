/** What is printed on standard output when all is done. */
import { type ChainRecord, CONTRACT_ROLES, formatMft } from '@mainframe/protocol'
import { formatEther, formatUnits } from 'ethers'
import { CONTRACTS } from './contracts.ts'
import type { NetworkConfig } from './networks.ts'
import type { Plan, PlannedContract } from './plan.ts'

export interface Outcome {
  outcome: 'planned' | 'deployed' | 'already deployed'
  network: string
  chainId: number
  /** Of a dry run, unless everything is deployed. */
  plan?: Plan
  /** What `addresses.json` holds, with its path. */
  contracts?: ChainRecord
  file?: string
}

export function toJson(outcome: Outcome): string {
  return JSON.stringify(outcome, (_, value) => (typeof value === 'bigint' ? `${value}` : value))
}

export function toText({ outcome, network, chainId, plan, contracts, file }: Outcome): string {
  const where = `${network}, chain ${chainId}`
  if (plan !== undefined) return `A deployment to ${where} would do this.\n\n${planText(plan)}`
  const headline =
    outcome === 'deployed'
      ? `Deployed to ${where}.`
      : `Already deployed to ${where}: there is nothing to do, and no transaction was sent.`
  return [headline, '', ...recordLines(contracts), '', `Recorded in ${file}.`].join('\n')
}

function recordLines(contracts: ChainRecord | undefined): string[] {
  if (contracts === undefined) return []
  return CONTRACT_ROLES.map((role) => {
    const { address, block } = contracts[role]
    return `${CONTRACTS[role].padEnd(16)} ${address}  block ${block}`
  })
}

function planText(plan: Plan): string {
  const { deployer, contracts, gas, gasPrice, cost, balance } = plan
  return [
    `deployer         ${deployer}, which has ${formatEther(balance)} ETH`,
    '',
    ...contracts.flatMap((contract) => [...contractLines(contract, gasPrice), '']),
    `total            ${gas} gas, ${formatEther(cost)} ETH at ${formatUnits(gasPrice, 'gwei')} gwei`,
    '',
    'Nothing was sent.',
  ].join('\n')
}

function contractLines(contract: PlannedContract, gasPrice: bigint): string[] {
  const { state, address, gas } = contract
  const name = contract.contract.padEnd(16)
  const todo =
    state === 'to deploy' ? `${gas} gas, ${formatEther(gas * gasPrice)} ETH` : `${state} already`
  const given = contract.arguments.map(({ name: parameter, value }) => {
    return `  ${parameter.replace(/_$/, '').padEnd(18)} ${value}`
  })
  return [`${name} ${address}  ${todo}`, ...given]
}

/** The question before money is spent. */
export function question({ name, chainId, parameters }: NetworkConfig, plan: Plan): string {
  const stake = formatMft(parameters.minimumStake ?? 0n)
  return [
    `About to deploy to ${name}, chain ${chainId}, from ${plan.deployer}.`,
    `Treasury ${parameters.treasury}, minimum stake ${stake} MFT, price delay ${parameters.priceDelaySeconds} s.`,
    `It takes about ${formatEther(plan.cost)} ETH, and cannot be undone. Go on? [y/N] `,
  ].join('\n')
}
