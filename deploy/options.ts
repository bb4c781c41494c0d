/** What `npm run deploy` may be told, checked before anything is started. */
import { isAbsolute, resolve } from 'node:path'
import { MainframeError } from '@mainframe/protocol'
import { Command, Option } from 'commander'
import { networkNames } from './networks.ts'

export const EXPLORERS = ['etherscan', 'blockscout', 'sourcify'] as const
export type Explorer = (typeof EXPLORERS)[number]

export interface DeployCommand {
  command: 'deploy'
  network: string
  dryRun: boolean
  yes: boolean
  reset: boolean
  json: boolean
  /** Folder for journal and addresses instead of the usual one. */
  data?: string
}

export interface VerifyCommand {
  command: 'verify'
  network: string
  explorers: readonly Explorer[]
  data?: string
}

type Flags = Partial<Omit<DeployCommand, 'command'>> & { explorer?: Explorer }

const EXAMPLES = `
Keys and URLs come from Hardhat's keystore (npx hardhat keystore set NAME) or the environment:
<NETWORK>_RPC_URL and <NETWORK>_DEPLOYER_KEY. On localhost both may be left out: it is the node at
http://127.0.0.1:8545 with accounts of its own.

Examples:
  npm run deploy -- --network localhost --dry-run
  npm run deploy -- --network localhost
  npm run deploy -- --network sepolia
  npm run deploy -- verify --network sepolia`

/** Throws a `CommanderError`, or `CONFIG_INVALID` with one sentence. */
export function readCommand(argv: readonly string[]): DeployCommand | VerifyCommand {
  let chosen: DeployCommand | VerifyCommand | undefined
  const program = command('npm run deploy --', (flags) => {
    const { dryRun = false, yes = false, reset = false, json = false } = flags
    chosen = { command: 'deploy', dryRun, yes, reset, json, ...placeOf(flags) }
  })
    .description(
      'Deploys the four contracts to a network, finishes what an interrupted run began, and does nothing\n' +
        'where they are deployed. Addresses, blocks and code hashes are recorded by chain id.',
    )
    .option('--dry-run', 'print what would happen and what it would cost; send nothing')
    .option('--yes', 'do not ask before deploying to a public network')
    .option('--reset', 'forget what was deployed to a development chain that was started anew')
    .option('--json', 'print one JSON object')
    .addHelpText('after', EXAMPLES)
  const verify = command('verify', (flags) => {
    const explorers = flags.explorer === undefined ? EXPLORERS : [flags.explorer]
    chosen = { command: 'verify', explorers, ...placeOf(flags) }
  })
    .description('Shows block explorers the sources of the recorded contracts.')
    .addOption(new Option('--explorer <name>', 'only this one').choices(EXPLORERS))
  program.addCommand(verify).parse(argv, { from: 'user' })
  if (chosen === undefined) throw new MainframeError('INTERNAL', 'no command ran')
  return chosen
}

function command(name: string, action: (flags: Flags) => void): Command {
  return new Command(name)
    .option('--network <name>', `one of ${networkNames().join(', ')} (deploy/config)`)
    .option('--data <folder>', 'keep journal and addresses here, as for a rehearsal on a fork')
    .helpOption('--help', 'show this text')
    .allowExcessArguments(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .action((_, self: Command) => action(self.optsWithGlobals()))
}

function placeOf({ network, data }: Flags): { network: string; data?: string } {
  if (network === undefined) {
    const message = `Say where to with --network: one of ${networkNames().join(', ')}`
    throw new MainframeError('CONFIG_INVALID', message)
  }
  return { network, ...(data !== undefined && { data: isAbsolute(data) ? data : resolve(data) }) }
}
