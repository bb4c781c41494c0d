/**
 * Makes one fault after the other in the contracts and runs their tests against each: every fault has to
 * be noticed. `npm run mutants -- --help` tells how.
 */
import { spawnSync } from 'node:child_process'
import { MainframeError } from '@mainframe/protocol'
import { runCampaign } from './mutants/campaign.ts'
import { type Flags, HELP, readFlags } from './mutants/flags.ts'
import { generate, type Mutant } from './mutants/generate.ts'
import { hashOf, ROOT, readContracts } from './mutants/sources.ts'
import { HARDHAT_CLI, type Killer } from './mutants/suite.ts'
import {
  describeRow,
  isMended,
  type Row,
  readTable,
  TABLE_FILE,
  type Table,
  totalsOf,
  writeTable,
} from './mutants/table.ts'

/** Ctrl-C, by the custom of shells. */
const INTERRUPTED = 130

process.exitCode = await main().catch((error: Error) => {
  console.error(error instanceof MainframeError ? error.message : error)
  return error.name === 'AbortError' ? INTERRUPTED : 2
})

async function main(): Promise<number> {
  const flags = readFlags(process.argv.slice(2))
  if (flags.help) return say(HELP)
  const sources = readContracts()
  const all = generate(sources, { deep: flags.deep })
  if (flags.list) {
    return say([...all.map(describe), `${all.length} mutants`].join('\n'))
  }
  const hash = hashOf(sources)
  const table = await readTable()
  const kept = flags.missing ? keptOf(table, hash) : new Map<string, Row>()
  const chosen = all.filter((mutant) => !kept.has(mutant.id) && isChosen(mutant, flags))
  if (chosen.length === 0) return say('There is nothing to run.')
  const rows = await run(chosen, table, flags.jobs)
  for (const row of rows) kept.set(row.id, row)
  if (flags.only === undefined && !flags.deep) {
    await writeTable(
      hash,
      all.flatMap(({ id }) => kept.get(id) ?? []),
    )
  }
  return conclude(rows, flags)
}

async function run(mutants: Mutant[], table: Table | undefined, jobs: number): Promise<Row[]> {
  const build = [HARDHAT_CLI, 'build', '--quiet']
  if (spawnSync(process.execPath, build, { cwd: ROOT, stdio: 'inherit' }).status !== 0) {
    throw new MainframeError('VALIDATION_FAILED', 'The contracts do not compile: see above.')
  }
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  const lastKillers = new Map<string, Killer>()
  for (const { id, killedBy } of table?.mutants ?? []) {
    if (killedBy !== undefined) lastKillers.set(id, killedBy)
  }
  console.error(`${mutants.length} mutants; at first all tests without any.`)
  const onRow = progress(mutants.length)
  const rows = await runCampaign(mutants, { jobs, signal: stop.signal, lastKillers, onRow })
  process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  return rows
}

/** Says of each mutant how it fared, and how long the others will take. */
function progress(count: number): (row: Row) => void {
  let startedAt: number | undefined
  let done = 0
  let survived = 0
  return (row) => {
    // the first ones come after the run without a fault, which says nothing about theirs
    startedAt ??= performance.now()
    done += 1
    if (!isMended(row)) survived += 1
    const each = (performance.now() - startedAt) / Math.max(1, done - 1)
    const minutes = Math.ceil(((count - done) * each) / 60_000)
    console.error(
      `${done} of ${count}, ${survived} not killed, ${minutes} min left: ${row.outcome} ${row.id}`,
    )
  }
}

/** What the table says already, if it is about these sources. */
function keptOf(table: Table | undefined, hash: string): Map<string, Row> {
  if (table?.sourcesSha256 !== hash) {
    const message = `${TABLE_FILE} is of other sources: run \`npm run mutants\` without --missing.`
    throw new MainframeError('VALIDATION_FAILED', message)
  }
  return new Map(table.mutants.filter(isMended).map((row) => [row.id, row]))
}

function isChosen({ id, file }: Mutant, { only }: Flags): boolean {
  return only === undefined || id.includes(only) || file.includes(only)
}

function describe({ file, line, id }: Mutant): string {
  return `${file}:${line} ${id}`
}

function conclude(rows: Row[], { only }: Flags): number {
  const bad = rows.filter((row) => !isMended(row))
  const parts = Object.entries(totalsOf(rows)).map(([name, count]) => `${count} ${name}`)
  const where = only === undefined ? `; see ${TABLE_FILE}` : ''
  say([...rows, ...bad].map(describeRow).join('\n'))
  say(`\n${parts.join(', ')}${where}`)
  return bad.length === 0 ? 0 : 1
}

function say(text: string): number {
  console.log(text)
  return 0
}
