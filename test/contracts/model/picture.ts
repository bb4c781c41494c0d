/** A step as the reference expects it to be seen, and as the chain shows it. */
import { AbiCoder, type Interface } from 'ethers'
import { callOf, TRANSFER_AND_CALL } from './calls.ts'
import { type Deployment, provider } from './deployment.ts'
import { sights } from './sights.ts'
import type { Action, Event, Outcome, Refusal, State } from './state.ts'

/** All of it in hexadecimal, so that equal strings are equal in every bit. */
export interface Picture {
  ok: boolean
  /** What was returned, or the error with its arguments. */
  answer: string
  /** Address, topics and data of each log, in order. */
  logs: string[]
  /** The words of all `sights`, without 0x. */
  words: string
}

type Interfaces = Deployment['interfaces']

const coder = AbiCoder.defaultAbiCoder()
/** Enough for any step, and for the report. */
const GAS = `0x${(12_000_000).toString(16)}`
const PERFORMED = ['bool', 'bytes', 'uint256', 'bytes', 'uint256[]']
type Performed = [ok: boolean, answer: string, time: bigint, answers: string, coins: bigint[]]

const word = (value: bigint) => value.toString(16).padStart(64, '0')

/** What the reference says that there should be to see. */
export function expected(
  deployment: Deployment,
  before: State,
  action: Action,
  outcome: Outcome,
): Picture {
  const { interfaces } = deployment
  const picture = (state: State) =>
    sights(deployment, state)
      .map(({ value }) => word(value))
      .join('')
  if (outcome.refused) {
    const answer = errorData(interfaces, outcome.error)
    return { ok: false, answer, logs: [], words: picture(before) }
  }
  return {
    ok: true,
    answer: returnedData(deployment, action, outcome.returned),
    logs: outcome.events.map((event) => logText(interfaces, event)),
    words: picture(outcome.state),
  }
}

/** Performs an action at a time, and says what there was to see. */
export async function perform(
  deployment: Deployment,
  action: Action,
  time: bigint,
): Promise<Picture> {
  await provider.request({ method: 'evm_setNextBlockTimestamp', params: [Number(time)] })
  const transaction = {
    from: deployment.sender,
    to: deployment.stage,
    data: performData(deployment, action),
    gas: GAS,
    gasPrice: '0x3b9aca00',
  }
  const hash = await provider.request({ method: 'eth_sendTransaction', params: [transaction] })
  const receipt = await provider.request({ method: 'eth_getTransactionReceipt', params: [hash] })
  const { logs } = receipt as { logs: { address: string; topics: string[]; data: string }[] }
  const report = logs.pop()?.data ?? '0x'
  const [ok, answer, at, answers, coins] = coder.decode(PERFORMED, report) as unknown as Performed
  if (at !== time) throw new Error(`The block is of ${at}, and should be of ${time}`)
  return {
    ok,
    answer,
    logs: logs.map((log) => [log.address, ...log.topics, log.data].join(' ')),
    words: answers.slice(2) + coins.map(word).join(''),
  }
}

/** Stage.perform(actor, target, value, data), written by hand: this is done some ten thousand times. */
function performData(deployment: Deployment, action: Action): string {
  const { target, value, data } = callOf(deployment, action)
  const bytes = data.slice(2)
  const padded = bytes.padEnd(Math.ceil(bytes.length / 64) * 64, '0')
  const head = [BigInt(action.from), BigInt(target), value, 128n, BigInt(bytes.length / 2)]
  return deployment.performSelector + head.map(word).join('') + padded
}

function errorData(interfaces: Interfaces, error: Refusal): string {
  if (error === undefined) return '0x'
  const abi = Object.values(interfaces).find((each) => each.getError(error.name) !== null)
  if (abi === undefined) throw new Error(`No contract has an error ${error.name}`)
  return abi.encodeErrorResult(error.name, error.args)
}

function returnedData(
  { facts, interfaces }: Deployment,
  action: Action,
  values: readonly unknown[],
) {
  if (action.kind === 'wait') return '0x'
  const ofMft = action.kind === 'transferAndCall' || action.kind === 'approve'
  const name = action.kind === 'transferAndCall' ? TRANSFER_AND_CALL : action.kind
  return interfaceAt(interfaces, ofMft ? facts.mft : facts.address).encodeFunctionResult(
    name,
    values,
  )
}

function logText(interfaces: Interfaces, { by, name, args }: Event): string {
  const { topics, data } = interfaceAt(interfaces, by).encodeEventLog(name, args)
  return [by, ...topics, data].join(' ')
}

function interfaceAt(interfaces: Interfaces, address: string): Interface {
  const abi = interfaces[address]
  if (abi === undefined) throw new Error(`No contract at ${address}`)
  return abi
}
