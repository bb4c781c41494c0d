/** The log of the registry as an indexer tells it, page by page. */
import {
  type ApiLogLine,
  type Deployment,
  decodeLog,
  logOfLine,
  type RegistryEvent,
} from '@mainframe/protocol'
import { hex, list, object, orNull, whole } from '../readers.ts'
import { lie } from './fault.ts'
import { askText, type IndexerOptions } from './indexer-api.ts'

/** Events of one page; an indexer that gives fewer has no more. */
export const LOG_PAGE = 1_000
/** 200,000 events of a kilobyte or two. */
const MAX_LOG_BYTES = 512 * 1024 * 1024

const word = hex(32)
const readLine = object<ApiLogLine>({
  seq: whole,
  head: hex(24),
  blockNumber: whole,
  blockHash: word,
  transactionHash: word,
  logIndex: whole,
  topics: list(word, 4),
  data: hex(),
  seedBlockHash: orNull(word),
})

/** Gives the events from number `fromSeq` on, as many as the indexer has, at most a page. */
export type LogSource = (fromSeq: bigint) => Promise<RegistryEvent[]>

/** Reads from one indexer. Rejects with `INDEXER_INVALID` for what is no event of the registry. */
export function logSource(options: IndexerOptions, deployment: Deployment): LogSource {
  const listener = { ...options, budget: { leftBytes: MAX_LOG_BYTES } }
  return async (fromSeq) => {
    const path = `v1/log?contract=registry&fromSeq=${fromSeq}&limit=${LOG_PAGE}`
    const lines = await askText(listener, path, (body) => {
      const [, ...rest] = body.trimEnd().split('\n')
      return list(readLine, LOG_PAGE)(
        rest.map((line) => JSON.parse(line)),
        '',
      )
    })
    return lines.map((line) => {
      const event = decodeLog(logOfLine(line, 'registry', deployment), deployment)
      if (!event || !('seq' in event) || event.type === 'PriceSet') throw lie('log-forgery')
      return event
    })
  }
}
