/** From raw logs to events (docs/contracts.md). */
import { Interface, type LogDescription } from 'ethers'
import { paymentChannelsAbi } from '../abi/payment-channels.ts'
import { priceBoardAbi } from '../abi/price-board.ts'
import { serviceRegistryAbi } from '../abi/service-registry.ts'
import type { Hex } from '../bytes.ts'
import { decodeLogHead } from './continuity.ts'
import type { ChainEvent, Deployment, EventPlace, NodeRecord, RawLog } from './events.ts'
import { decodeSchedule } from './schedule.ts'

const registryInterface = new Interface(serviceRegistryAbi)
const boardInterface = new Interface(priceBoardAbi)
const channelsInterface = new Interface(paymentChannelsAbi)

/**
 * The event of a log of this deployment; `undefined` when it changes nothing in the directory
 * (another contract, a deposit, a skipped row) or does not decode.
 */
export function decodeLog(log: RawLog, deployment: Deployment): ChainEvent | undefined {
  const address = log.address.toLowerCase()
  const place: EventPlace = {
    blockNumber: Number(log.blockNumber),
    blockHash: log.blockHash,
    transactionHash: log.transactionHash,
    logIndex: Number(log.logIndex),
  }
  if (address === deployment.registry.toLowerCase()) {
    const parsed = parse(registryInterface, log)
    return parsed && registryEvent(parsed, place)
  }
  if (address === deployment.board.toLowerCase()) {
    const parsed = parse(boardInterface, log)
    return parsed && boardEvent(parsed, place)
  }
  if (address === deployment.channels.toLowerCase()) {
    const parsed = parse(channelsInterface, log)
    return parsed && channelEvent(parsed, place)
  }
  return undefined
}

function parse(contract: Interface, { topics, data }: RawLog): LogDescription | undefined {
  try {
    return contract.parseLog({ topics, data }) ?? undefined
  } catch {
    return undefined // an RPC may answer anything; what does not decode is not our event
  }
}

const lower = (value: unknown) => String(value).toLowerCase() as Hex

function registryEvent({ name, args }: LogDescription, place: EventPlace): ChainEvent | undefined {
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
        record: recordOf(args['record']),
        signature: lower(args['signature']),
        stake: args['stake'] as bigint,
      }
    case 'Updated':
      return { ...common, type: name, record: recordOf(args['record']) }
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

function boardEvent({ name, args }: LogDescription, place: EventPlace): ChainEvent | undefined {
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

function channelEvent({ name, args }: LogDescription, place: EventPlace): ChainEvent | undefined {
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
