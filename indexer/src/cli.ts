#!/usr/bin/env node
import { errorCode } from '@mainframe/protocol'
import { Command, CommanderError } from 'commander'
import { loadConfig, SETTINGS } from './config.ts'

const program = new Command('indexer')
  .description('Follows the Mainframe contracts and serves the directory over HTTP.')
  .option('--config <file>', 'JSON file with settings by name; flags and environment come first')
  .option('--json', 'print one line of JSON when listening')
  .helpOption('--help', 'show this text')
  .allowExcessArguments(false)
  .exitOverride()

for (const { flag, variable, description, default: value } of SETTINGS) {
  const suffix = value === undefined ? '' : `; default ${value}`
  if (flag) program.option(`${flag} <value>`, `${description} (${variable}${suffix})`)
}
program.addHelpText(
  'after',
  '\nDATABASE_URL: a PostgreSQL server instead of the embedded database in --data-folder.',
)

function parseFlags(): Record<string, string | boolean | undefined> {
  try {
    return program.parse().opts()
  } catch (error) {
    // commander has said what is wrong, and what was probably meant
    if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2)
    throw error
  }
}

async function main(): Promise<void> {
  const {
    config: configFile,
    json,
    ...flags
  } = parseFlags() as {
    config?: string
    json?: boolean
  } & Record<string, string>
  const settings = loadConfig({ flags, environment: process.env, configFile })
  // loaded only now: a typing error is answered without starting a server and a database
  const { startIndexer } = await import('./indexer.ts')
  const indexer = await startIndexer(settings)
  const stop = () => {
    void indexer.stop().then(() => process.exit(process.exitCode ?? 0), fail)
  }
  process.once('SIGINT', stop).once('SIGTERM', stop)
  void indexer.failed.then((error) => {
    complain(error)
    stop()
  })
  const { url } = indexer
  console.log(json ? JSON.stringify({ event: 'listening', url }) : `Indexer listens on ${url}`)
}

/** 2 for what the caller set wrong, else 1. */
function exitStatus(error: unknown): 1 | 2 {
  const code = errorCode(error)
  return code?.startsWith('CONFIG_') || code === 'STORE_LOCKED' ? 2 : 1
}

function complain(error: unknown): void {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = exitStatus(error)
}

function fail(error: unknown): void {
  complain(error)
  process.exit()
}

await main().catch(fail)
