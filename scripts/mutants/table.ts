/** The committed table of mutants: test/contracts/mutants.json. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT } from './sources.ts'
import type { Killer } from './suite.ts'

export const TABLE_FILE = 'test/contracts/mutants.json'

/**
 * `equivalent`: cannot be told from the contracts. To be mended: `survived`; `not equivalent`, though it was
 * said to be; and `invalid`, which does not compile.
 */
export type Outcome =
  | 'killed'
  | 'timed out'
  | 'equivalent'
  | 'survived'
  | 'not equivalent'
  | 'invalid'

const MENDED: ReadonlySet<Outcome> = new Set(['killed', 'timed out', 'equivalent'])

/** How one mutant fared. */
export interface Row {
  id: string
  file: string
  line: number
  outcome: Outcome
  /** The test that failed first. */
  killedBy?: Killer
  /** Why it is equivalent, or what the compiler says. */
  reason?: string
}

export interface Table {
  /** {@link hashOf} the contracts that the mutants were made from. */
  sourcesSha256: string
  totals: Record<string, number>
  mutants: Row[]
}

/** `undefined` when there is no table yet. */
export async function readTable(): Promise<Table | undefined> {
  const text = await readFile(join(ROOT, TABLE_FILE), 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as Table)
}

/** One mutant a line, so that differences read well. */
export async function writeTable(sourcesSha256: string, mutants: Row[]): Promise<void> {
  const rows = mutants.map((row) => `    ${JSON.stringify(row)}`).join(',\n')
  const text = [
    '{',
    `  "sourcesSha256": ${JSON.stringify(sourcesSha256)},`,
    `  "totals": ${JSON.stringify(totalsOf(mutants))},`,
    `  "mutants": [\n${rows}\n  ]`,
    '}\n',
  ].join('\n')
  await writeFile(join(ROOT, TABLE_FILE), text)
}

/** Whether nothing has to be done about it. */
export function isMended({ outcome }: Row): boolean {
  return MENDED.has(outcome)
}

/** How many there are of each outcome, and in all. */
export function totalsOf(mutants: Row[]): Record<string, number> {
  const totals: Record<string, number> = { mutants: mutants.length, killed: 0, survived: 0 }
  for (const { outcome } of mutants) totals[outcome] = (totals[outcome] ?? 0) + 1
  return totals
}

/** A line of the table for people. */
export function describeRow({ id, file, line, outcome, killedBy, reason }: Row): string {
  const why = killedBy === undefined ? reason : `${killedBy.file}: ${killedBy.test}`
  return `${outcome.padEnd(10)} ${file}:${line} ${id}${why === undefined ? '' : `\n${' '.repeat(11)}${why}`}`
}
