/** Logs over RPC, read by their form: an RPC is no more believed than anybody else. */
import {
  type Deployment,
  decodeLogHead,
  type Hex,
  type LogHead,
  MainframeError,
  type RawLog,
} from '@mainframe/protocol'
import { toQuantity } from 'ethers'
import { hex, list, object, type Reader, text } from '../readers.ts'

interface Requester {
  request(method: string, params: readonly unknown[]): Promise<unknown>
}

/** More than any RPC answers at once. */
const MAX_LOGS = 100_000

const quantity: Reader<Hex> = (value, path) => {
  const digits = text(value, path)
  if (/^0x[0-9a-f]{1,13}$/i.test(digits)) return digits as Hex
  throw new MainframeError('CODEC_INVALID', `${path} is not a quantity`)
}
const word = hex(32)
const readRawLogs = list<RawLog>(
  object({
    address: hex(20),
    topics: list(word, 4),
    data: hex(),
    blockNumber: quantity,
    blockHash: word,
    transactionHash: word,
    logIndex: quantity,
  }),
  MAX_LOGS,
)

/** Storage slot 0 of registry or board after a block (docs/contracts.md, "Continuity of the logs"). */
export async function readLogHead(chain: Requester, contract: Hex, at: Hex): Promise<LogHead> {
  const slot = await chain.request('eth_getStorageAt', [contract, '0x0', { blockHash: at }])
  return decodeLogHead(understood('eth_getStorageAt', () => word(slot, 'the slot')))
}

/** Logs of the contracts in these blocks, in order. */
export async function readLogs(
  chain: Requester,
  { registry, board, channels }: Deployment,
  { fromBlock, toBlock }: { fromBlock: number; toBlock: number },
): Promise<RawLog[]> {
  const filter = {
    address: [registry, board, channels],
    fromBlock: toQuantity(fromBlock),
    toBlock: toQuantity(toBlock),
  }
  const answer = await chain.request('eth_getLogs', [filter])
  const logs = understood('eth_getLogs', () => readRawLogs(answer, ''))
  return logs.sort(
    (a, b) =>
      Number(a.blockNumber) - Number(b.blockNumber) || Number(a.logIndex) - Number(b.logIndex),
  )
}

function understood<T>(method: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    throw new MainframeError('CHAIN_MISMATCH', `The RPC answers nonsense to ${method}`, {
      cause,
      details: { method },
    })
  }
}
