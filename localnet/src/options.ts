/** What `npm start` may be told, checked before anything is started. */
import { readFile, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MainframeError } from '@mainframe/protocol'
import { Command, InvalidArgumentError } from 'commander'

/** The longest message, as in the SDK. */
const MAX_MESSAGE_BYTES = 1_048_576
/** Three hops and an entry relay. */
const MIN_RELAYS = 4
/** A relay process takes about 100 MiB. */
const MAX_RELAYS = 64
const DEFAULT_MESSAGE = 'Hello Bob. Every relay carries this, and none can read it.'

export interface StartOptions {
  relays: number
  /** What Alice sends. */
  message: Uint8Array
  once: boolean
  json: boolean
  /** Folder for keys, logs and databases; emptied at start. */
  dataFolder: string
  /** 0 for free ports. */
  chainPort: number
  indexerPort: number
}

interface Flags {
  message?: string
  file?: string
  relays: number
  once?: boolean
  json?: boolean
  data: string
  chainPort: number
  indexerPort: number
}

/** Throws `CONFIG_INVALID` or `MESSAGE_TOO_LONG` with one sentence. */
export async function readOptions(argv: readonly string[]): Promise<StartOptions> {
  const flags = parseFlags(argv)
  return {
    relays: flags.relays,
    message: await readMessage(flags),
    once: flags.once ?? false,
    json: flags.json ?? false,
    dataFolder: resolve(flags.data),
    chainPort: flags.chainPort,
    indexerPort: flags.indexerPort,
  }
}

function parseFlags(argv: readonly string[]): Flags {
  return new Command('npm start --')
    .description(
      'Starts a whole Mainframe network on this machine (chain, contracts, indexer, relays) and sends\n' +
        'messages over it: from Alice to Bob, back, and to Bob while he is off line. Then the relays\n' +
        'claim what they earned, and every base unit is accounted for.',
    )
    .option('-m, --message <text>', 'what Alice sends; "-" reads standard input')
    .option('-f, --file <path>', 'send this file instead (any bytes, at most 1 MiB)')
    .option(
      '-n, --relays <count>',
      `relays to start, ${MIN_RELAYS} to ${MAX_RELAYS}`,
      relayCount,
      8,
    )
    .option('--once', 'end after the story: exit code 0, or 1 with the reason')
    .option('--json', 'print one JSON object instead of the story')
    .option(
      '--data <folder>',
      'folder for keys, logs and databases; emptied at start',
      'data/localnet',
    )
    .option('--chain-port <port>', 'port of the chain; 0 for a free one', port, 0)
    .option('--indexer-port <port>', 'port of the indexer; 0 for a free one', port, 0)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  npm start\n' +
        '  npm start -- --once --message "any text"\n' +
        '  npm start -- --relays 16 --file picture.png\n' +
        '  date | npm start --silent -- --once --json --message -',
    )
    .allowExcessArguments(false)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeErr: () => {} })
    .parse(argv, { from: 'user' })
    .opts<Flags>()
}

function relayCount(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= MIN_RELAYS && count <= MAX_RELAYS) return count
  throw new InvalidArgumentError(
    `It takes ${MIN_RELAYS} to ${MAX_RELAYS} relays: an entry and three hops at the least.`,
  )
}

function port(text: string): number {
  const value = Number(text)
  if (value === 0 || (Number.isInteger(value) && value >= 1_024 && value <= 65_535)) return value
  throw new InvalidArgumentError('A port is 0 for a free one, or a number from 1024 to 65535.')
}

async function readMessage({ message, file }: Flags): Promise<Uint8Array> {
  if (message !== undefined && file !== undefined) {
    throw new MainframeError('CONFIG_INVALID', 'Give either --message or --file, not both')
  }
  const bytes = await messageBytes(message, file)
  if (bytes.length > MAX_MESSAGE_BYTES) throw tooLong(bytes.length)
  return bytes
}

async function messageBytes(message: string | undefined, file: string | undefined) {
  if (file !== undefined) return await readMessageFile(file)
  if (message === '-') return await readStandardInput()
  return new TextEncoder().encode(message ?? DEFAULT_MESSAGE)
}

async function readMessageFile(file: string): Promise<Uint8Array> {
  const facts = await stat(file).catch(() => undefined)
  if (!facts?.isFile()) {
    throw new MainframeError(
      'CONFIG_INVALID',
      `There is no file ${file}; check the path after --file`,
    )
  }
  if (facts.size > MAX_MESSAGE_BYTES) throw tooLong(facts.size)
  return await readFile(file).catch((cause: unknown) => {
    throw new MainframeError('CONFIG_INVALID', `The file ${file} cannot be read`, { cause })
  })
}

async function readStandardInput(): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer)
    length += (chunk as Buffer).length
    if (length > MAX_MESSAGE_BYTES) throw tooLong(length)
  }
  return Buffer.concat(chunks)
}

function tooLong(bytes: number): MainframeError {
  return new MainframeError(
    'MESSAGE_TOO_LONG',
    `The message has ${bytes} bytes or more; at most 1 MiB (${MAX_MESSAGE_BYTES} bytes) can be sent`,
  )
}
