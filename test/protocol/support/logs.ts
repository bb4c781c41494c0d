/** Raw logs as a chain would answer them, encoded with the contracts' ABIs. */
import {
  type Deployment,
  type Hex,
  paymentChannelsAbi,
  priceBoardAbi,
  type RawLog,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import { Interface } from 'ethers'

export const hex = (byte: number, length: number): Hex =>
  `0x${byte.toString(16).padStart(2, '0').repeat(length)}`

export const deployment: Deployment = {
  chainId: 31_337,
  block: 1,
  // with capitals, as a checksummed address has them
  token: '0xAAaaaAAAAaAAAAaaAaaaAAaAAAaAaAAaAaaaAaa1',
  registry: '0xABcdEFABcdEFabcdEfAbCdefabcdeFABcDEFabC2',
  board: '0xABcdEFABcdEFabcdEfAbCdefabcdeFABcDEFabC3',
  channels: '0xABcdEFABcdEFabcdEfAbCdefabcdeFABcDEFabC4',
}

const interfaces = {
  registry: new Interface(serviceRegistryAbi),
  board: new Interface(priceBoardAbi),
  channels: new Interface(paymentChannelsAbi),
} as const

/** A log of one of the contracts, in block 0x10 at index 2 unless said otherwise. */
export function rawLog(
  contract: keyof typeof interfaces,
  event: string,
  values: readonly unknown[],
): RawLog {
  const { topics, data } = interfaces[contract].encodeEventLog(event, values)
  return {
    address: deployment[contract].toLowerCase() as Hex,
    topics: topics as Hex[],
    data: data as Hex,
    blockNumber: '0x10',
    blockHash: hex(0xb1, 32),
    transactionHash: hex(0x71, 32),
    logIndex: '0x2',
  }
}

/** What every event of {@link rawLog} says of its place. */
export const place = {
  blockNumber: 16,
  blockHash: hex(0xb1, 32),
  transactionHash: hex(0x71, 32),
  logIndex: 2,
} as const

export const record = {
  manager: hex(0x0a, 20),
  payee: hex(0x0b, 20),
  sealKey: hex(0x0c, 32),
  multiaddrs: hex(0x0d, 7),
  metadata: '0x' as Hex,
}
