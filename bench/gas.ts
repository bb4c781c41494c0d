/** `npm run gas`: measures the contracts' gas, writes bench/gas.json and prints the table. */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { measureGas } from './gas/measure.ts'
import { isWithin, LINES, METHOD, renderTable } from './gas/table.ts'

const HELP = `npm run gas [-- --json]

Measures what each operation of the contracts costs, as gas of a whole transaction, writes the
figures to bench/gas.json, and prints them beside their bars and what other contracts cost.

  --json    print the figures alone, as one JSON object
  --help    this text

Ends with 1 when a figure is over its bar. Compile first, if the contracts changed: npm run build.
`

try {
  process.exitCode = await main()
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause)
  process.exitCode = 2
}

async function main(): Promise<number> {
  const options = { json: { type: 'boolean' }, help: { type: 'boolean' } } as const
  const { values } = parseArgs({ options })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  const table = await measureGas()
  await writeFile(new URL('gas.json', import.meta.url), `${JSON.stringify(table, null, 2)}\n`)
  console.log(values.json ? JSON.stringify(table) : `${renderTable(table)}\n\n${METHOD}`)
  const over = LINES.filter((line) => !isWithin(table, line))
  for (const { name } of over) console.error(`${name} is over its bar`)
  return over.length > 0 ? 1 : 0
}
