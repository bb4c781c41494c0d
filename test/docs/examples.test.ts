import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { startTestNetwork, type TestNetwork } from '@mainframe/localnet/testing'
import { MainframeError } from '@mainframe/protocol'
import { loadSettings } from '../../node/src/config.ts'
import { processesNaming } from '../e2e/support/command.ts'
import { decode, Mailbox } from '../e2e/support/mailbox.ts'
import { within } from '../e2e/support/waiting.ts'
import { blocksOf, documents, ROOT, readDocument } from './support/documents.ts'
import { checkTypes, runModule } from './support/typescript.ts'

/** What stands around the examples of a page: names that its text introduces. */
const SURROUNDINGS: Record<string, string> = {
  'docs/errors.md':
    'declare function send(): Promise<void>\ndeclare function topUp(): Promise<void>',
  'docs/messenger.md': '',
  'docs/sdk.md': '',
  'docs/testing.md': '',
}

const pages = documents.filter((path) => blocksOf(path, 'ts').length > 0)
const exampleOf = (path: string) => blocksOf(path, 'ts').join('\n')

describe('the examples in TypeScript', () => {
  it('stand on pages whose examples are run below', () => {
    assert.deepEqual(pages, Object.keys(SURROUNDINGS))
  })

  it('are right to the compiler', () => {
    const sources = pages.map((path): [string, string] => {
      const name = `${path.replace(/\W/g, '-')}.ts`
      return [name, `${exampleOf(path)}\n${SURROUNDINGS[path]}\nexport {}\n`]
    })
    assert.deepEqual(checkTypes(new Map(sources)), [])
    const wrong = new Map([
      ['wrong.ts', "import { Mainframe } from '@mainframe/sdk'\nMainframe.shut()"],
    ])
    assert.match(checkTypes(wrong).join(), /shut/, 'the check finds faults')
  })

  it('of docs/messenger.md is the bot that another test runs', async () => {
    const bot = await readFile(join(ROOT, 'examples/echo-bot.ts'), 'utf8')
    assert.equal(exampleOf('docs/messenger.md').trim(), bot.trim())
  })

  it('of docs/errors.md tops up when that helps, and hands every other error on', async () => {
    const run = async (error: Error) => {
      const calls: string[] = []
      const send = () => Promise.reject(error)
      const topUp = async () => void calls.push('topUp')
      Object.assign(globalThis, { send, topUp })
      await runModule(`errors-${error.message}.ts`, exampleOf('docs/errors.md'))
      return calls
    }
    try {
      assert.deepEqual(await run(new MainframeError('PAYMENT_INSUFFICIENT', 'poor')), ['topUp'])
      await assert.rejects(run(new MainframeError('NETWORK_TIMEOUT', 'slow')), /slow/)
    } finally {
      Object.assign(globalThis, { send: undefined, topUp: undefined })
    }
  })
})

describe('the examples of docs/sdk.md and docs/testing.md', () => {
  let network: TestNetwork
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-docs-'))
    network = await startTestNetwork({ relays: 5 })
  })
  after(async () => {
    await network?.stop()
    await rm(folder, { recursive: true })
    assert.deepEqual(await processesNaming('mainframe-test-'), [], 'nothing is left running')
  })

  /** What an example prints. */
  async function printed(t: TestContext, name: string, example: string): Promise<unknown[][]> {
    const log = t.mock.method(console, 'log', () => {})
    await within('the example ends', runModule(name, example))
    log.mock.restore()
    return log.mock.calls.map((call) => call.arguments)
  }

  it('send a message on a local network, with its addresses in place of the examples', async (t) => {
    const bob = await network.open()
    const mailbox = new Mailbox(bob)
    const { rpcUrl, deployment, indexers } = network.network
    const places: [string, string][] = [
      ["'http://127.0.0.1:8545'", JSON.stringify(rpcUrl)],
      ["'http://127.0.0.1:8420'", JSON.stringify(indexers[0])],
      ["account: '0x…'", `account: ${JSON.stringify(await network.createAccount())}`],
      ["'data/alice'", JSON.stringify(join(folder, 'alice'))],
      ["send('mf1…'", `send(${JSON.stringify(bob.contactCode)}`],
    ]
    const given = exampleOf('docs/sdk.md').replace(
      /deployment: \{[^}]*\}/,
      `deployment: ${JSON.stringify(deployment)}`,
    )
    const example = places.reduce((text, [place, real]) => {
      assert.ok(text.includes(place), `the example has ${place}`)
      return text.replace(place, real)
    }, given)
    assert.doesNotMatch(example, /…'/, 'nothing is left to be filled in')
    const lines = await printed(t, 'sdk.ts', example)
    assert.deepEqual(
      mailbox.messages.map(({ bytes }) => decode(bytes)),
      ['hello'],
    )
    assert.deepEqual(lines, [[mailbox.messages[0]?.from]])
  })

  it('let two clients talk in a test, on the network that is there already', async (t) => {
    Object.assign(globalThis, { shared: { ...network, stop: async () => {} } })
    const start = 'await startTestNetwork({ relays: 5 })'
    const example = exampleOf('docs/testing.md')
    assert.ok(example.includes(start))
    assert.deepEqual(await printed(t, 'testing.ts', example.replace(start, 'shared')), [['hello']])
  })
})

describe('the commands and files that documents name', () => {
  const lines = documents.flatMap((path) =>
    blocksOf(path, 'sh').flatMap((block) => block.split('\n').map((line) => ({ path, line }))),
  )

  const known = new Map<string, string[]>()

  /** Flags that a command knows, by its own help; each is asked once. */
  function flagsOf(cli: string, ...command: string[]): string[] {
    const name = [cli, ...command].join(' ')
    const flags = known.get(name) ?? askFlags(cli, ...command)
    known.set(name, flags)
    return flags
  }

  function askFlags(cli: string, ...command: string[]): string[] {
    const options = { cwd: ROOT, encoding: 'utf8' as const }
    const { stdout } = spawnSync(process.execPath, [cli, ...command, '--help'], options)
    return [...stdout.matchAll(/(?<=[\s,])--?[a-z][a-z-]*/g)].map(([flag]) => flag)
  }

  /** Commands in shell blocks that match, each with its flags known. */
  function assertFlags(cli: string, pattern: RegExp, group: 'subcommand' | 'none'): void {
    const found = lines.flatMap(({ path, line }) => {
      const match = line.replace(/#.*/, '').match(pattern)
      return match ? [{ path, rest: match[1] ?? '' }] : []
    })
    assert.ok(found.length > 0, `no document shows ${cli}`)
    for (const { path, rest } of found) {
      const [subcommand = ''] = rest.split(' ')
      const known = group === 'none' ? flagsOf(cli) : flagsOf(cli, subcommand)
      const used = [...rest.matchAll(/(?<=^|\s)--?[a-z][a-z-]*/g)].map(([flag]) => flag)
      for (const flag of used) assert.ok(known.includes(flag), `${path}: ${flag} in "${rest}"`)
    }
  }

  it('start the local network with flags that it has', () => {
    assertFlags('localnet/src/cli.ts', /npm start (?:--silent )?-- (.*)/, 'none')
  })

  it('deploy with flags that there are', () => {
    assertFlags('deploy/cli.ts', /npm run deploy -- (--.*)/, 'none')
    assertFlags('deploy/cli.ts', /npm run deploy -- (verify .*)/, 'subcommand')
  })

  it('run a relay with flags that it has', () => {
    assertFlags('node/src/cli.ts', /npm run relay -- (.*)/, 'subcommand')
  })

  it('run the indexer with flags that it has', () => {
    const known = flagsOf('indexer/src/cli.ts')
    const [, shown = ''] =
      readDocument('docs/indexer.md').match(/indexer\/src\/cli\.ts (--.*)/) ?? []
    const used = [...shown.matchAll(/--[a-z-]+/g)].map(([flag]) => flag)
    assert.ok(used.length > 0)
    for (const flag of used) assert.ok(known.includes(flag), flag)
  })

  it('configure a relay by settings that it takes', async () => {
    const [block = ''] = blocksOf('docs/relay.md', 'json')
    const settings = JSON.parse(block) as Record<string, unknown>
    const folder = await mkdtemp(join(tmpdir(), 'mainframe-docs-'))
    try {
      const configFile = join(folder, 'relay.json')
      await writeFile(configFile, block)
      const read: Record<string, unknown> = {
        ...loadSettings({ configFile, flags: {}, environment: {} }),
      }
      for (const [name, value] of Object.entries(settings)) {
        assert.deepEqual(read[name], value, name)
      }
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  it('are in the repository where their paths say', () => {
    const folders = 'bench|contracts|deploy|docs|indexer|localnet|node|protocol|scripts|sdk|test'
    const path = new RegExp(`^(?:${folders})/[\\w./-]*$`)
    for (const document of documents) {
      const quoted = [...readDocument(document).matchAll(/`([^`\n]+)`/g)].map(
        ([, text = '']) => text,
      )
      for (const text of quoted.filter((candidate) => path.test(candidate))) {
        assert.ok(existsSync(join(ROOT, text)), `${document} names ${text}`)
      }
    }
  })
})
