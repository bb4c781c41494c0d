/** The log of a contract, read from an indexer and replayed by hand. Shares no code with the project. */
import { AbiCoder, Interface, keccak256, type LogDescription, type Result } from 'ethers'

/** A line of GET /v1/log. */
interface Line {
  seq: number
  head: string
  blockNumber: number
  topics: string[]
  data: string
  seedBlockHash: string | null
}

/** An event that continues the log. */
export interface LoggedEvent {
  name: string
  args: Result
  blockNumber: number
  seedBlockHash: string | null
}

export interface LogEnd {
  seq: number
  head: string
}

const RECORD =
  'tuple(address manager, address payee, bytes32 sealKey, bytes multiaddrs, bytes metadata)'
const abi = new Interface([
  `event Registered(bytes32 indexed nodeId, address indexed operator, bytes32 nodeKey, ${RECORD} record, bytes signature, uint96 stake, bytes32 continuity)`,
  `event Updated(bytes32 indexed nodeId, ${RECORD} record, bytes32 continuity)`,
  'event StakeAdded(bytes32 indexed nodeId, uint96 stake, bytes32 continuity)',
  'event UnstakeBegun(bytes32 indexed nodeId, uint40 unlockAt, bytes32 continuity)',
  'event StakeWithdrawn(bytes32 indexed nodeId, address to, uint96 amount, bytes32 continuity)',
  'event PriceSet(bytes32 indexed nodeId, bytes32 service, address token, uint256 schedule, bytes32 continuity)',
])
const coder = AbiCoder.defaultAbiCoder()

/** The events of a contract up to number `end.seq`, whose head must be `end.head`. */
export async function readLog(
  indexer: string,
  contract: 'registry' | 'board',
  end: LogEnd,
): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = []
  let head = `0x${'00'.repeat(24)}`
  while (events.length < end.seq) {
    const lines = await readPage(indexer, contract, events.length + 1)
    if (lines.length === 0) throw new Error(`the log of the ${contract} ends too early`)
    for (const line of lines.slice(0, end.seq - events.length)) {
      const { event, next } = follow(line, head, events.length + 1)
      events.push(event)
      head = next
    }
  }
  if (head !== end.head) throw new Error(`the log of the ${contract} ends in another head`)
  return events
}

async function readPage(indexer: string, contract: string, fromSeq: number): Promise<Line[]> {
  const response = await fetch(new URL(`/v1/log?contract=${contract}&fromSeq=${fromSeq}`, indexer))
  if (!response.ok) throw new Error(`the indexer answers ${response.status} to /v1/log`)
  const [, ...lines] = (await response.text()).trimEnd().split('\n')
  return lines.map((line) => JSON.parse(line) as Line)
}

function follow(line: Line, head: string, seq: number): { event: LoggedEvent; next: string } {
  const parsed = abi.parseLog(line)
  if (!parsed || line.seq !== seq) throw new Error(`event ${seq} of the log is not there`)
  const { kind, data } = commitment(parsed, line.blockNumber)
  const next = hash(
    ['bytes24', 'uint64', 'uint8', 'bytes32'],
    [head, seq, kind, keccak256(data)],
  ).slice(0, 50)
  const word = `${next}${seq.toString(16).padStart(16, '0')}`
  if (word !== parsed.args['continuity']) throw new Error(`event ${seq} does not continue the log`)
  const { name, args } = parsed
  const { blockNumber, seedBlockHash } = line
  return { event: { name, args, blockNumber, seedBlockHash }, next }
}

const hash = (types: string[], values: unknown[]) => keccak256(coder.encode(types, values))

function recordHash({ manager, payee, sealKey, multiaddrs, metadata }: Result): string {
  const content = hash(['bytes32', 'bytes32'], [keccak256(multiaddrs), keccak256(metadata)])
  const body = hash(['address', 'bytes32', 'bytes32'], [payee, sealKey, content])
  return hash(['address', 'bytes32'], [manager, body])
}

/** What an event adds to the head: the table "Continuity of the logs" of docs/contracts.md. */
function commitment({ name, args: a }: LogDescription, block: number) {
  const of = (kind: number, types: string[], values: unknown[]) => ({
    kind,
    data: coder.encode(['uint256', 'bytes32', ...types], [block, a['nodeId'], ...values]),
  })
  switch (name) {
    case 'Registered': {
      const facts = [a['operator'], a['nodeKey'], recordHash(a['record'])]
      const rest = [keccak256(a['signature']), a['stake']]
      return of(1, ['address', 'bytes32', 'bytes32', 'bytes32', 'uint96'], [...facts, ...rest])
    }
    case 'Updated':
      return of(2, ['bytes32'], [recordHash(a['record'])])
    case 'StakeAdded':
      return of(3, ['uint96'], [a['stake']])
    case 'UnstakeBegun':
      return of(4, ['uint40'], [a['unlockAt']])
    case 'StakeWithdrawn':
      return of(5, ['address', 'uint96'], [a['to'], a['amount']])
    default:
      return of(6, ['bytes32', 'address', 'uint256'], [a['service'], a['token'], a['schedule']])
  }
}
