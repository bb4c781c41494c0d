/** The Prometheus text format (version 0.0.4): names, help and numbers without per-packet labels. */

export interface Metric {
  name: string
  help: string
  type: 'counter' | 'gauge'
  /** A number, or numbers by the value of one label. */
  value: number | { label: string; values: Readonly<Record<string, number>> }
}

export function renderMetrics(metrics: readonly Metric[]): string {
  return metrics.map(renderMetric).join('')
}

function renderMetric({ name, help, type, value }: Metric): string {
  const head = `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  if (typeof value === 'number') return `${head}${name} ${value}\n`
  const rows = Object.entries(value.values).map(
    ([key, count]) => `${name}{${value.label}="${key}"} ${count}\n`,
  )
  return head + rows.join('')
}

/** Memory, processor time and age of this process, under the names that Prometheus uses for them. */
export function processMetrics(): Metric[] {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed, external } = process.memoryUsage()
  return [
    {
      name: 'process_resident_memory_bytes',
      help: 'Resident memory.',
      type: 'gauge',
      value: rss,
    },
    {
      name: 'nodejs_heap_size_used_bytes',
      help: 'Heap of JavaScript in use.',
      type: 'gauge',
      value: heapUsed,
    },
    {
      name: 'nodejs_external_memory_bytes',
      help: 'Memory outside that heap that its objects hold, such as packets.',
      type: 'gauge',
      value: external,
    },
    {
      name: 'process_cpu_seconds_total',
      help: 'Processor time, user and system.',
      type: 'counter',
      value: (user + system) / 1e6,
    },
    {
      name: 'process_start_time_seconds',
      help: 'Start of the process, Unix seconds.',
      type: 'gauge',
      value: Math.floor(Date.now() / 1000 - process.uptime()),
    },
  ]
}
