/** `npm run prove`: has solc and z3 prove the properties of proofs/, and refute faults put in on purpose. */
import { parseArgs } from 'node:util'
import { check, hasZ3, type Verdict } from './prove/checker.ts'
import { FAULTS, PROPERTIES } from './prove/claims.ts'

const HELP = `npm run prove [-- --json]

Has solc's SMTChecker and z3 prove properties of one channel for every sequence of calls, on the
arithmetic that ships (contracts/libraries/ChannelMath.sol), and find out every fault that is put in
on purpose. docs/contracts.md says what the model leaves out. Takes about two minutes.

  --json    print the results as one JSON object
  --help    this text

Ends with 1 when a property is not proved or a fault not found out, with 2 when it cannot run.
`

interface Result extends Verdict {
  kind: 'property' | 'fault'
  model: string
  what: string
  ok: boolean
}

try {
  process.exitCode = main()
} catch (cause) {
  console.error(cause instanceof Error ? cause.message : cause)
  process.exitCode = 2
}

function main(): number {
  const options = { json: { type: 'boolean' }, help: { type: 'boolean' } } as const
  const { values } = parseArgs({ options })
  if (values.help) {
    console.log(HELP)
    return 0
  }
  if (!hasZ3()) {
    console.error("The proofs need z3, which is not on the PATH: install Debian's package z3.")
    return 2
  }
  const results: Result[] = []
  const add = (result: Result) => {
    results.push(result)
    if (!values.json) console.log(renderLine(result))
  }
  for (const { model, what } of PROPERTIES) {
    const verdict = check(model)
    add({ kind: 'property', model, what, ok: verdict.answer === 'proved', ...verdict })
  }
  for (const { breaks: model, what, ...replacement } of FAULTS) {
    const verdict = check(model, replacement)
    add({ kind: 'fault', model, what, ok: verdict.answer === 'refuted', ...verdict })
  }
  const missed = results.filter(({ ok }) => !ok).length
  if (values.json) console.log(JSON.stringify({ results, missed }))
  else console.log(`${results.length - missed} as they should be, ${missed} not`)
  return missed > 0 ? 1 : 0
}

function renderLine({ kind, model, what, answer, assertions, seconds, ok }: Result): string {
  const time = `${seconds.toFixed(1)} s`.padStart(7)
  const count = kind === 'property' ? `${assertions} assertion${assertions === 1 ? '' : 's'}` : kind
  return `${ok ? 'ok ' : 'NOT'} ${time}  ${answer.padEnd(8)} ${model.padEnd(10)} ${what} (${count})`
}
