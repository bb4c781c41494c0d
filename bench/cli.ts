/** `npm run bench -- <name>`: how fast the parts are, as ratios within one run. */
import { parseArgs } from 'node:util'
import type { EconomySize } from './economy.ts'
import { SDK_PARTS, type SdkPart } from './sdk-parts.ts'

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean' },
  relays: { type: 'string' },
  clients: { type: 'string' },
  messages: { type: 'string' },
  part: { type: 'string' },
} as const

/** What the command line says besides the name of the bench. */
interface Choice {
  size: Partial<EconomySize>
  /** Of the client's bench. */
  part: SdkPart | undefined
}

const BENCHES = {
  seal: {
    what: 'sealing and opening packets, beside one X25519',
    run: async () => (await import('./seal.ts')).benchSeal(),
  },
  relay: {
    what: 'one relay between a source and a sink, beside bare libp2p',
    run: async () => (await import('./relay.ts')).benchRelay(tell),
  },
  overlay: {
    what: 'simulated networks of 100, 1,000 and 10,000 relays, some of them dead (minutes)',
    run: async () =>
      (await import('./overlay.ts')).runOverlay({
        seed: 1,
        sizes: [100, 1_000, 10_000],
        deadShares: [0, 0.1, 0.3],
        messages: 200,
      }),
  },
  payments: {
    what: 'vouchers, credit and the log, and a relay paid beside the same one free (minutes)',
    run: async () => {
      const { benchPayments, PAYMENTS_SIZE } = await import('./payments.ts')
      return await benchPayments(PAYMENTS_SIZE, tell)
    },
  },
  economy: {
    what: 'a market of relay processes, and where every base unit of it goes (minutes)',
    run: async ({ size }: Choice) => {
      const { benchEconomy, ECONOMY_SIZE } = await import('./economy.ts')
      return await benchEconomy({ ...ECONOMY_SIZE, ...size }, tell)
    },
  },
  network: {
    what: 'whole networks of relay processes on this machine (minutes)',
    run: async () => (await import('./network.ts')).benchNetwork(tell),
  },
  indexer: {
    what: 'the indexer on PostgreSQL and PGlite: taking in a chain, live, queries (minutes)',
    run: async () =>
      (await import('./indexer.ts')).benchIndexer({
        blocks: 4_000,
        nodes: { postgres: 500_000, pglite: 100_000 },
        tell,
      }),
  },
  sdk: {
    what: 'the client: messages, groups, latency on 8 relays, its size, a browser (minutes)',
    run: async ({ part }: Choice) => (await import('./sdk.ts')).benchSdk(tell, part),
  },
} as const
type BenchName = keyof typeof BENCHES

const NAMES = Object.keys(BENCHES) as BenchName[]
const SIZES = ['relays', 'clients', 'messages'] as const
const HELP = `npm run bench -- <name> [--json]

${NAMES.map((name) => `  ${name.padEnd(10)}${BENCHES[name].what}`).join('\n')}

  --json    the figures alone, as one line of JSON
  --help    this text
  --relays <count> --clients <count> --messages <count>    of the economy
  --part <name>    of the client: ${SDK_PARTS.join(', ')}

Absolute figures are those of this machine and its load; compare what one run measured side by side.
docs/benchmarks.md says what each figure covers.
`

function tell(progress: string): void {
  process.stderr.write(`${progress}\n`)
}

try {
  process.exitCode = await main()
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause)
  process.exitCode = 1
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true })
  const [name, ...rest] = positionals
  if (values.help || !name) {
    console.log(HELP)
    return values.help ? 0 : 2
  }
  if (rest.length > 0 || !isBench(name)) {
    console.error(`There is no bench "${positionals.join(' ')}"; there are: ${NAMES.join(', ')}`)
    return 2
  }
  const given = SIZES.filter((size) => values[size] !== undefined)
  const bad = given.find((size) => name !== 'economy' || !/^[1-9]\d{0,5}$/.test(values[size] ?? ''))
  if (bad) {
    console.error(`--${bad} is a whole number above 0, for the bench "economy"`)
    return 2
  }
  const size = Object.fromEntries(given.map((name) => [name, Number(values[name])]))
  const part = SDK_PARTS.find((each) => each === values.part)
  if (values.part !== undefined && (name !== 'sdk' || !part)) {
    console.error(`--part is of the bench "sdk", and one of ${SDK_PARTS.join(', ')}`)
    return 2
  }
  show(await BENCHES[name].run({ size, part }), values.json ?? false)
  return 0
}

/** Rows within the figures get a table of their own. */
function show(figures: object, asJson: boolean): void {
  if (asJson) {
    console.log(JSON.stringify(figures))
    return
  }
  const entries = Object.entries(figures)
  const isTable = ([, value]: [string, unknown]) => Array.isArray(value)
  if (Array.isArray(figures)) {
    console.table(figures)
    return
  }
  console.table(Object.fromEntries(entries.filter((entry) => !isTable(entry))))
  for (const [, rows] of entries.filter(isTable)) console.table(rows)
}

function isBench(name: string): name is BenchName {
  return Object.hasOwn(BENCHES, name)
}
