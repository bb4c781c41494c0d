#!/usr/bin/env node
import { type ErrorCode, errorCode, formatMft } from '@mainframe/protocol'
/**
 * The command line of a relay. Prints; everything else is done elsewhere, in modules that are loaded
 * when their command runs: libp2p takes half a second.
 */
import { Command, CommanderError, Option } from 'commander'
import { askRelay } from './admin-client.ts'
import { type ConfigSources, loadConfig, loadSettings, type RelayConfig } from './config.ts'
import type { Logger } from './log.ts'
import { SETTINGS, type SettingName } from './settings.ts'

type Options = Record<string, string | boolean | undefined>

/** What the user can mend by himself; anything else exits with 1. */
const USER_ERRORS: readonly (ErrorCode | undefined)[] = [
  'CONFIG_INVALID',
  'CONFIG_IN_USE',
  'STORE_LOCKED',
  'VALIDATION_FAILED',
]
const NETWORK: readonly SettingName[] = ['rpcUrl', 'deploymentFile', 'chainId']
const ALL = SETTINGS.map(({ name }) => name)
const REGISTRATION: readonly SettingName[] = [
  ...NETWORK,
  'listen',
  'announce',
  'routeUnits',
  'holdUnitsPerHour',
  'accept',
  'pollIntervalMs',
]

const program = new Command('relay')
  .description(
    'Runs a Mainframe relay: it routes, delivers and holds packets and is paid for each.\n' +
      'First init, then send coin for gas and MFT for channels to the hot account that it prints,\n' +
      'then register with the stake, then start.',
  )
  .helpOption('--help', 'show this text')
  .exitOverride()

command('init', 'create the keys of a relay; prints its node key and hot account', []).action(
  async (options: Options) => {
    const { initRelay } = await import('./commands.ts')
    print(options, await initRelay(settingsOf(options).dataFolder))
  },
)
command('register', 'stake and register the relay, and advertise its prices', REGISTRATION)
  .requiredOption('--operator-key-file <file>', "the operator's secret key, 64 hex digits")
  .option('--stake <mft>', 'stake in MFT', '1000')
  .action(async (options: Options) => {
    const { operatorKeyFile, stake } = options
    const input = { operatorKeyFile: String(operatorKeyFile), stake: String(stake) }
    const config = loadConfig(sources(options))
    const { register } = await import('./commands.ts')
    print(options, await register(config, input))
  })
command('start', 'run the relay until SIGTERM or Ctrl-C', ALL)
  .option('--watchtower', 'hold vouchers of relays instead, and claim for those that are off line')
  .action((options: Options) => (options['watchtower'] ? watch(options) : start(options)))
command('status', 'show what the running relay does and earns', []).action(
  async (options: Options) => {
    const status = await askRelay(settingsOf(options).dataFolder, '/status')
    if (options['json']) print(options, status)
    else printStatus(status)
  },
)
command('claim', 'claim all earnings on chain now', []).action(async (options: Options) => {
  const { claim } = await askRelay(settingsOf(options).dataFolder, '/claim', 'POST')
  if (options['json']) print(options, { claim })
  else printLines(claim ?? { claim: 'nothing to claim' })
})
command('earnings', 'show what was earned: by service, by day, and by who paid', [])
  .option(
    '--from <day>',
    'first day, such as 2026-08-01 (UTC); 30 days before the last if left out',
  )
  .option('--to <day>', 'last day; today if left out')
  .addOption(new Option('--csv', 'print CSV, a line for each day and channel').conflicts('json'))
  .action(async (options: Options) => {
    const { dataFolder } = settingsOf(options)
    const [{ earnings }, { earningsCsv, earningsText }] = await Promise.all([
      import('./commands.ts'),
      import('./accounts/text.ts'),
    ])
    const report = await earnings(dataFolder, {
      from: text(options['from']),
      to: text(options['to']),
    })
    if (options['json']) print(options, report)
    else process.stdout.write(options['csv'] ? earningsCsv(report) : earningsText(report))
  })
command('audit', 'recompute all money from logs, ledger and chain; exits with 1 if it differs', [
  ...NETWORK,
  'confirmations',
  'pollIntervalMs',
  'accept',
  'payWith',
]).action(async (options: Options) => {
  const { dataFolder } = settingsOf(options)
  const [{ auditRelay }, { auditText }] = await Promise.all([
    import('./commands.ts'),
    import('./accounts/text.ts'),
  ])
  const report = await auditRelay(dataFolder, () => loadConfig(sources(options)))
  if (options['json']) print(options, report)
  else process.stdout.write(auditText(report))
  process.exitCode = report.balanced ? 0 : 1
})

await program.parseAsync().catch(fail)

/** A subcommand with the flags of some settings; the data folder is always among them. */
function command(name: string, description: string, settings: readonly SettingName[]) {
  const added = program
    .command(name)
    .description(description)
    .option('--config <file>', 'JSON file with settings by name; flags and environment win')
    .option('--json', 'print JSON')
    .helpOption('--help', 'show this text')
    .allowExcessArguments(false)
    .exitOverride()
  for (const { name: setting, flag, variable, description: text, default: value } of SETTINGS) {
    if (setting !== 'dataFolder' && !settings.includes(setting)) continue
    const isEmpty = value === undefined || (Array.isArray(value) && value.length === 0)
    const fallback = hasObjects(value) ? JSON.stringify(value) : `${value}`
    const rest = isEmpty ? '' : `; default ${fallback}`
    added.option(`${flag} <value>`, `${text} (${variable}${rest})`)
  }
  return added
}

function hasObjects(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'object'
}

function sources(options: Options): ConfigSources {
  const flags: Record<string, string | undefined> = {}
  for (const { name, flag } of SETTINGS) {
    const key = flag.slice(2).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const value = options[key]
    if (typeof value === 'string') flags[name] = value
  }
  const configFile = options['config']
  return {
    flags,
    environment: process.env,
    ...(typeof configFile === 'string' ? { configFile } : {}),
  }
}

function text(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function settingsOf(options: Options) {
  return loadSettings(sources(options))
}

async function start(options: Options): Promise<void> {
  const config = loadConfig(sources(options))
  const { Relay } = await import('./relay.ts')
  await untilStopped(config, async (run) => {
    const relay = await Relay.start(config, run)
    announceEvent(options, 'listening', { ...relay.listening })
    void relay.ready.then((ready) => announceEvent(options, 'ready', { ...ready }))
    return relay
  })
}

async function watch(options: Options): Promise<void> {
  const config = loadConfig(sources(options))
  const { Watchtower } = await import('./watchtower/tower.ts')
  await untilStopped(config, async (run) => {
    const tower = await Watchtower.start(config, run)
    announceEvent(options, 'listening', { ...tower.listening })
    return tower
  })
}

/** What runs until it is stopped. */
interface Running {
  /** Resolves with the reason when it cannot go on. */
  failed: Promise<unknown>
  stop(): Promise<void>
}

/** Runs until a signal or until it cannot go on; a second signal ends it at once. */
async function untilStopped(
  { logLevel }: RelayConfig,
  begin: (run: { log: Logger; signal: AbortSignal }) => Promise<Running>,
): Promise<void> {
  const { createLogger } = await import('./log.ts')
  const stop = new AbortController()
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(1)
    stop.abort()
  }
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  const log = createLogger(logLevel)
  const running = await begin({ log, signal: stop.signal }).catch((error) => {
    if (stop.signal.aborted) process.exit(0)
    throw error
  })
  const stopped = new Promise<undefined>((resolve) => {
    if (stop.signal.aborted) resolve(undefined)
    stop.signal.addEventListener('abort', () => resolve(undefined))
  })
  const failure = await Promise.race([running.failed, stopped])
  await running.stop()
  if (failure !== undefined) throw failure
  process.exit(0)
}

function announceEvent(options: Options, event: string, fields: object): void {
  print(options, { event, ...fields })
}

function print(options: Options, value: object): void {
  if (options['json']) console.log(JSON.stringify(value))
  else printLines(value)
}

function printLines(value: object): void {
  for (const [name, member] of Object.entries(value)) {
    console.log(`${name}: ${shown(member)}`)
  }
}

function shown(member: unknown): string {
  if (Array.isArray(member)) return member.join(', ')
  return typeof member === 'object' && member !== null ? JSON.stringify(member) : String(member)
}

function printStatus(status: Record<string, unknown>): void {
  const mft = (name: string) => `${formatMft(BigInt(String(status[name])))} MFT`
  const counts = (name: string) =>
    Object.entries(status[name] as Record<string, number>)
      .filter(([, count]) => count > 0)
      .map(([key, count]) => `${key} ${count}`)
      .join(', ') || 'none'
  console.log(`node       ${status['nodeId']}${status['ready'] ? '' : ' (not ready)'}`)
  console.log(`account    ${status['account']}`)
  console.log(`network    ${status['relays']} relays, luminosity ${status['luminosity']}`)
  console.log(`links      ${counts('links')}`)
  console.log(`packets    ${status['carried']} carried; ${counts('outcomes')}`)
  console.log(`opened     ${counts('opened')}`)
  console.log(`held       ${counts('held')}`)
  console.log(`earned     ${mft('earnedBase')}, of which claimed ${mft('claimedBase')}`)
  for (const [token, { earnedBase, claimedBase }] of otherEarnings(status)) {
    console.log(`           ${earnedBase} of ${token}, of which claimed ${claimedBase}`)
  }
}

/** What was earned in other media than MFT; of those only whoever runs the relay knows the decimals. */
function otherEarnings(status: Record<string, unknown>) {
  type Told = { earnedBase: string; claimedBase: string }
  const earnings = Object.entries(status['earnings'] as Record<string, Told>)
  return earnings.filter(([token]) => token !== status['mft'])
}

function fail(error: unknown): never {
  // commander has said what is wrong, and what was probably meant
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2)
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(USER_ERRORS.includes(errorCode(error)) ? 2 : 1)
}
