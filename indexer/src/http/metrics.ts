/** GET /metrics in the Prometheus text format (version 0.0.4), without a label that names a client. */
import type { SyncStatus } from '../sync/status.ts'
import { notReadyReasons } from '../sync/status.ts'
import type { LiveCounts } from './live-events.ts'

/** Answers so far, by the first digit of their status. */
export type AnswerCounts = Record<'2xx' | '3xx' | '4xx' | '5xx', number>

export interface MetricsSource {
  status: SyncStatus
  isStopping: boolean
  answers: AnswerCounts
  /** Seconds that all answers together took. */
  answerSeconds: number
  live: LiveCounts
}

/** Every metric, by name, with its type and meaning; docs/indexer.md has the same list. */
export const METRICS = {
  indexer_ready: ['gauge', '1 when answers are fresh, as /readyz says.'],
  indexer_block_number: ['gauge', 'Last block taken in.'],
  indexer_head_block_number: ['gauge', 'Last block of the chain.'],
  indexer_lag_blocks: ['gauge', 'Blocks of the chain that are not taken in.'],
  indexer_answers_total: ['counter', 'Answers by class of status.'],
  indexer_answer_seconds_total: ['counter', 'Time that all answers took, streams left out.'],
  indexer_listeners: ['gauge', 'Listeners to live events.'],
  indexer_listeners_cut_off_total: [
    'counter',
    'Listeners that were cut off because they did not read.',
  ],
  process_resident_memory_bytes: ['gauge', 'Resident memory.'],
  process_cpu_seconds_total: ['counter', 'Processor time, user and system.'],
  process_start_time_seconds: ['gauge', 'Start of the process, Unix seconds.'],
} as const

type Name = keyof typeof METRICS

/** The text of all metrics. */
export function renderMetrics(source: MetricsSource): string {
  const values = valuesOf(source)
  return (Object.keys(METRICS) as Name[])
    .map((name) => {
      const [type, help] = METRICS[name]
      const rows = values[name].map(([labels, value]) => `${name}${labels} ${value}\n`).join('')
      return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${rows}`
    })
    .join('')
}

function valuesOf(source: MetricsSource): Record<Name, [labels: string, value: number][]> {
  const { status, isStopping, answers, answerSeconds, live } = source
  const { block, head } = status
  const { user, system } = process.cpuUsage()
  const plain = (value: number): [string, number][] => [['', value]]
  const ready = !isStopping && notReadyReasons(status).length === 0
  return {
    indexer_ready: plain(Number(ready)),
    indexer_block_number: plain(block ?? 0),
    indexer_head_block_number: plain(head ?? 0),
    indexer_lag_blocks: plain(Math.max(0, (head ?? 0) - (block ?? 0))),
    indexer_answers_total: Object.entries(answers).map(([status, count]) => [
      `{status="${status}"}`,
      count,
    ]),
    indexer_answer_seconds_total: plain(answerSeconds),
    indexer_listeners: plain(live.listeners),
    indexer_listeners_cut_off_total: plain(live.cutOff),
    process_resident_memory_bytes: plain(process.memoryUsage.rss()),
    process_cpu_seconds_total: plain((user + system) / 1e6),
    process_start_time_seconds: plain(Math.floor(Date.now() / 1000 - process.uptime())),
  }
}
