/** From raw logs to events (docs/contracts.md). */
import { Interface } from 'ethers'
import { paymentChannelsAbi } from '../abi/payment-channels.ts'
import { priceBoardAbi } from '../abi/price-board.ts'
import { serviceRegistryAbi } from '../abi/service-registry.ts'
import type { Hex } from '../bytes.ts'
import { decodeLogHead } from './continuity.ts'
import type { ChainEvent, Deployment, EventPlace, NodeRecord, RawLog } from './events.ts'
import { decodeSchedule } from './schedule.ts'

/** A log's event by the contract's ABI: arguments by name, bytes as 0x-hex, numbers as either kind. */
export interface ParsedLog {
  name: string
  args: Readonly<Record<string, unknown>>
}

/** Reads a log of one of the contracts by its ABI; `undefined` for what does not decode. Never throws. */
export type ParseLog = (
  contract: 'registry' | 'board' | 'channels',
  log: Pick<RawLog, 'topics' | 'data'>,
) => ParsedLog | undefined

/**
 * The event of a log of this deployment; `undefined` when it changes nothing in the directory
 * (another contract, a deposit, a skipped row) or does not decode.
 */
export type DecodeLog = (log: RawLog, deployment: Deployment) => ChainEvent | undefined

/** {@link decodeLog} over another ABI decoder, for whoever reads more logs than ethers can. */
export function createLogDecoder(parse: ParseLog): DecodeLog {
  return (log, deployment) => {
    const address = log.address.toLowerCase()
    for (const contract of CONTRACTS) {
      if (address !== deployment[contract].toLowerCase()) continue
      const parsed = parse(contract, log)
      return parsed && EVENTS[contract](parsed, placeOf(log))
    }
    return undefined
  }
}

const CONTRACTS = ['registry', 'board', 'channels'] as const
const EVENTS = { registry: registryEvent, board: boardEvent, channels: channelEvent } as const

function placeOf(log: RawLog): EventPlace {
  return {
    blockNumber: Number(log.blockNumber),
    blockHash: log.blockHash,
    transactionHash: log.transactionHash,
    logIndex: Number(log.logIndex),
  }
}

const interfaces = {
  registry: new Interface(serviceRegistryAbi),
  board: new Interface(priceBoardAbi),
  channels: new Interface(paymentChannelsAbi),
} as const

/** Decodes with ethers, which every process has anyway. */
export const decodeLog: DecodeLog = createLogDecoder((contract, { topics, data }) => {
  try {
    const parsed = interfaces[contract].parseLog({ topics, data })
    // here, not when it is read, ethers throws for what does not fit its type
    return parsed ? { name: parsed.name, args: parsed.args.toObject(true) } : undefined
  } catch {
    return undefined // an RPC may answer anything; what does not decode is not our event
  }
})

function lower(value: unknown): Hex {
  return String(value).toLowerCase() as Hex
}

function registryEvent({ name, args }: ParsedLog, place: EventPlace): ChainEvent | undefined {
  const common = {
    ...place,
    ...decodeLogHead(args['continuity'] as Hex),
    nodeId: lower(args['nodeId']),
  }
  switch (name) {
    case 'Registered':
      return {
        ...common,
        type: name,
        operator: lower(args['operator']),
        nodeKey: lower(args['nodeKey']),
        record: recordOf(args['record'] as Record<string, unknown>),
        signature: lower(args['signature']),
        stake: args['stake'] as bigint,
      }
    case 'Updated':
      return { ...common, type: name, record: recordOf(args['record'] as Record<string, unknown>) }
    case 'StakeAdded':
      return { ...common, type: name, stake: args['stake'] as bigint }
    case 'UnstakeBegun':
      return { ...common, type: name, unlockAt: Number(args['unlockAt']) }
    case 'StakeWithdrawn':
      return { ...common, type: name, to: lower(args['to']), amount: args['amount'] as bigint }
    default:
      return undefined
  }
}

function recordOf(record: Record<string, unknown>): NodeRecord {
  return {
    manager: lower(record['manager']),
    payee: lower(record['payee']),
    sealKey: lower(record['sealKey']),
    multiaddrs: lower(record['multiaddrs']),
    metadata: lower(record['metadata']),
  }
}

function boardEvent({ name, args }: ParsedLog, place: EventPlace): ChainEvent | undefined {
  if (name !== 'PriceSet') return undefined
  return {
    ...place,
    ...decodeLogHead(args['continuity'] as Hex),
    type: name,
    nodeId: lower(args['nodeId']),
    row: {
      service: lower(args['service']),
      token: lower(args['token']),
      ...decodeSchedule(args['schedule'] as bigint),
    },
  }
}

function channelEvent({ name, args }: ParsedLog, place: EventPlace): ChainEvent | undefined {
  const common = { ...place, channelId: lower(args['id']) }
  switch (name) {
    case 'Opened':
      return {
        ...common,
        type: name,
        payer: lower(args['payer']),
        payee: lower(args['payee']),
        token: lower(args['token']),
        signer: lower(args['signer']),
        noticeSeconds: Number(args['notice']),
        epoch: Number(args['epoch']),
        deposit: args['deposit'] as bigint,
      }
    case 'ToppedUp':
      return { ...common, type: name, deposit: args['deposit'] as bigint }
    case 'Claimed':
      return { ...common, type: name, claimed: args['claimed'] as bigint }
    case 'CloseRequested':
      return { ...common, type: name, closesAt: Number(args['closesAt']) }
    case 'CloseCancelled':
      return { ...common, type: name }
    case 'Closed': {
      const { claimed, refunded } = args as unknown as { claimed: bigint; refunded: bigint }
      return { ...common, type: name, claimed, refunded }
    }
    default:
      return undefined
  }
}
