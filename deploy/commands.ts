/** What `npm run deploy` does, step by step. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type ChainRecord, errorCode, type Hex, MainframeError } from '@mainframe/protocol'
import { formatEther } from 'ethers'
import { lockFolder } from '../node/src/storage/lock.ts'
import { assertJournal, deployContracts, readRecord } from './deploy.ts'
import type { DeployCommand } from './options.ts'
import { type Plan, planDeployment } from './plan.ts'
import type { Progress } from './progress.ts'
import {
  assertRecord,
  readChainRecord,
  removeChainRecord,
  wayOutOfAnotherChain,
  wayOutOfOtherSources,
  writeChainRecord,
} from './records.ts'
import { type Outcome, question, toJson, toText } from './report.ts'
import { fetchDeployer, openTarget, type Target } from './target.ts'

/** A public node is not to be asked more often than this; blocks take 12 s there. */
const PUBLIC_POLLING_MS = 2_000

/** Where a command prints, reports what it does, and asks. */
export interface Console {
  /** The result, on standard output. */
  print(text: string): void
  /** Progress, on standard error. */
  tell(text: string): void
  ask(text: string): Promise<string>
}

/** Deploys, or with `dryRun` says what that would be. */
export async function runDeploy(
  command: DeployCommand,
  console: Console,
  configFolder?: string,
): Promise<void> {
  const target = await openTarget({ ...command, ...(configFolder && { configFolder }) })
  try {
    if (command.reset && !target.network.isDevelopment) {
      throw new MainframeError('CONFIG_INVALID', '--reset is for development chains only')
    }
    const outcome = command.dryRun
      ? await rehearse(target, command)
      : await holding(target, () => carryOut(target, command, console))
    console.print(command.json ? toJson(outcome) : toText(outcome))
  } finally {
    await target.close()
  }
}

/** Two runs at once would deploy twice. */
async function holding<T>({ folder }: Target, work: () => Promise<T>): Promise<T> {
  const journals = join(folder, 'deployments')
  await mkdir(journals, { recursive: true })
  const lock = await lockFolder(journals)
  try {
    return await work()
  } finally {
    lock.release()
  }
}

async function rehearse(target: Target, { reset }: DeployCommand): Promise<Outcome> {
  const record = reset ? undefined : await findRecord(target)
  if (record !== undefined) return outcomeOf(target, 'already deployed', record)
  const deployer = await fetchDeployer(target)
  const plan = await makePlan(target, deployer, reset ? undefined : target.journal)
  const { name, chainId } = target.network
  return { outcome: 'planned', network: name, chainId, plan }
}

async function carryOut(
  target: Target,
  { reset, yes }: DeployCommand,
  console: Console,
): Promise<Outcome> {
  if (reset) await forget(target)
  const known = await findRecord(target)
  if (known !== undefined) return outcomeOf(target, 'already deployed', known)
  const deployer = await fetchDeployer(target)
  const plan = await makePlan(target, deployer, target.journal)
  assertFunds(plan)
  if (!target.network.isDevelopment && !yes) await confirm(target, plan, console)
  const record = await deploy(target, console)
  return outcomeOf(target, 'deployed', record)
}

async function forget({ folder, journal, network }: Target): Promise<void> {
  await removeChainRecord(join(folder, 'addresses.json'), network.chainId)
  await rm(journal, { recursive: true, force: true })
}

/** What is recorded of the chain, once chain, sources and parameters are seen to agree with it. */
async function findRecord(target: Target): Promise<ChainRecord | undefined> {
  const { network } = target
  const record = await readChainRecord(join(target.folder, 'addresses.json'), network.chainId)
  if (record !== undefined) await assertRecord(record, target)
  return record
}

async function makePlan(
  target: Target,
  deployer: Hex,
  deploymentDir: string | undefined,
): Promise<Plan> {
  const { provider, network } = target
  if (deploymentDir !== undefined) {
    await assertJournal(provider, deploymentDir).catch((error: unknown) => {
      throw withWayOut(error, wayOutOfAnotherChain(target))
    })
  }
  return await planDeployment({
    provider,
    deployer,
    deploymentDir,
    parameters: network.parameters,
  })
}

function assertFunds({ deployer, balance, cost }: Plan): void {
  if (balance >= cost) return
  throw new MainframeError(
    'PAYMENT_INSUFFICIENT',
    `${deployer} has ${formatEther(balance)} ETH, and the deployment takes about ${formatEther(cost)} ETH at the present price of gas; send it the rest and run this again`,
    { details: { deployer } },
  )
}

async function confirm({ network }: Target, plan: Plan, console: Console): Promise<void> {
  const answer = await console.ask(question(network, plan))
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new MainframeError('CONFIG_INVALID', 'Not deployed, as you did not say yes')
}

async function deploy(target: Target, console: Console): Promise<ChainRecord> {
  const { provider, network, folder, journal } = target
  const { parameters, confirmations, isDevelopment, chainId } = network
  await deployContracts({
    provider,
    deploymentDir: journal,
    parameters,
    confirmations,
    ...(!isDevelopment && { pollingMs: PUBLIC_POLLING_MS }),
    onProgress: (progress) => console.tell(lineOf(progress)),
  }).catch((error: unknown) => {
    throw withWayOut(error, wayOutOfOtherSources(target))
  })
  const record = await readRecord(provider, journal)
  await writeChainRecord(join(folder, 'addresses.json'), chainId, record)
  return record
}

function lineOf({ step, contract, hash, address }: Progress): string {
  if (step === 'deployed') return `${contract}: deployed at ${address}`
  return `${contract}: ${step === 'sent' ? 'sent in' : 'mined:'} transaction ${hash}`
}

function withWayOut(error: unknown, wayOut: string): unknown {
  if (errorCode(error) !== 'CHAIN_MISMATCH') return error
  const { message, details } = error as MainframeError
  return new MainframeError('CHAIN_MISMATCH', `${message}; ${wayOut}`, { details, cause: error })
}

function outcomeOf(
  { network, file }: Target,
  outcome: Outcome['outcome'],
  contracts: ChainRecord,
): Outcome {
  return { outcome, network: network.name, chainId: network.chainId, contracts, file }
}
