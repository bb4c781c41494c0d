/** `npm run bench -- <name>`: how fast the parts are, as ratios within one run. */
import { parseArgs } from 'node:util'

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
  network: {
    what: 'whole networks of relay processes on this machine (minutes)',
    run: async () => (await import('./network.ts')).benchNetwork(tell),
  },
  indexer: {
    what: 'the indexer on PostgreSQL and PGlite: taking in a chain, live, queries (minutes)',
    run: async () =>
      (await import('./indexer.ts')).benchIndexer({
        blocks: 2_000,
        nodes: { postgres: 500_000, pglite: 100_000 },
        tell,
      }),
  },
} as const
type BenchName = keyof typeof BENCHES

const NAMES = Object.keys(BENCHES) as BenchName[]
const HELP = `npm run bench -- <name> [--json]

${NAMES.map((name) => `  ${name.padEnd(10)}${BENCHES[name].what}`).join('\n')}

  --json    the figures alone, as one line of JSON
  --help    this text

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
  const options = { json: { type: 'boolean' }, help: { type: 'boolean' } } as const
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const [name, ...rest] = positionals
  if (values.help || !name) {
    console.log(HELP)
    return values.help ? 0 : 2
  }
  if (rest.length > 0 || !isBench(name)) {
    console.error(`There is no bench "${positionals.join(' ')}"; there are: ${NAMES.join(', ')}`)
    return 2
  }
  const figures = await BENCHES[name].run()
  if (values.json) console.log(JSON.stringify(figures))
  else console.table(figures)
  return 0
}

function isBench(name: string): name is BenchName {
  return Object.hasOwn(BENCHES, name)
}
