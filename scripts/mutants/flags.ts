import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { MainframeError } from '@mainframe/protocol'
import { TABLE_FILE } from './table.ts'

export const HELP = `npm run mutants -- [options]

Removes each guard of contracts/ in turn, moves each bound, and runs the tests of test/contracts against
each. Ends with 0 when every fault made a test fail, with 1 when not. All of it takes about a
quarter of an hour on two cores, and then writes ${TABLE_FILE}.

  --list            say which mutants there are, and run none
  --only <text>     run those whose id or file contains the text; the table stays as it is
  --deep            make every effect, field and number faulty too; the table stays as it is
  --missing         run those that the table, if it is of these sources, does not know as killed
  --jobs <number>   how many at a time (default: one for each core)
  --help            this text`

export interface Flags {
  help: boolean
  list: boolean
  missing: boolean
  deep: boolean
  only: string | undefined
  jobs: number
}

/** Throws `CONFIG_INVALID` with one sentence. */
export function readFlags(args: string[]): Flags {
  const { help, list, missing, deep, only, jobs } = parse(args)
  const count = jobs === undefined ? availableParallelism() : Number(jobs)
  if (!Number.isInteger(count) || count < 1) {
    throw new MainframeError('CONFIG_INVALID', `--jobs takes a number from 1, not "${jobs}".`)
  }
  return { help, list, missing, deep, only, jobs: count }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        help: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        missing: { type: 'boolean', default: false },
        deep: { type: 'boolean', default: false },
        only: { type: 'string' },
        jobs: { type: 'string' },
      },
    }).values
  } catch (cause) {
    const message = `${(cause as Error).message}. See npm run mutants -- --help.`
    throw new MainframeError('CONFIG_INVALID', message, { cause })
  }
}
