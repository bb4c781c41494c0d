import assert from 'node:assert/strict'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { localNetwork } from '@mainframe/sdk'
import { freePorts } from '../../localnet/src/ports.ts'
import { Command, type Finished, isListening, processesNaming } from './support/command.ts'
import { assertReport, type JsonReport } from './support/report.ts'
import { until } from './support/waiting.ts'

const MIB = 1_048_576

describe('npm start', () => {
  let folder = ''
  const commands: Command[] = []
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-main-job-'))
  })
  after(async () => {
    await Promise.all(commands.map((command) => command.stop()))
    await rm(folder, { recursive: true })
  })

  function start(args: readonly string[], input?: Uint8Array | 'open'): Command {
    const command = new Command(args, input)
    commands.push(command)
    return command
  }

  async function file(name: string, bytes: Uint8Array): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, bytes)
    return path
  }

  describe('with something that cannot work, or is not wanted after all', () => {
    const refused: [string, () => Promise<string[]>, RegExp, Uint8Array?][] = [
      ['three relays', async () => ['--relays', '3'], /4 to 64 relays/],
      ['an unknown flag', async () => ['--relay', '8'], /--relays/],
      ['a missing file', async () => ['--file', join(folder, 'none')], /There is no file/],
      [
        'a file of more than 1 MiB',
        async () => ['--file', await file('long', new Uint8Array(MIB + 1))],
        /at most 1 MiB/,
      ],
      [
        'more than 1 MiB on standard input',
        async () => ['--message', '-'],
        /at most 1 MiB/,
        new Uint8Array(MIB + 1),
      ],
      [
        'a data folder that holds something else',
        async () => {
          await mkdir(join(folder, 'mine'))
          await file('mine/letter.txt', new Uint8Array(1))
          return ['--data', join(folder, 'mine')]
        },
        /choose another --data/,
      ],
    ]
    for (const [what, args, sentence, input] of refused) {
      it(`says so in one sentence and exits with 2: ${what}`, async () => {
        const given = await args()
        const data = given.includes('--data') ? [] : ['--data', join(folder, 'refused')]
        assertRefused(await start([...given, ...data, '--once'], input).finished, sentence)
      })
    }

    it('says so in one sentence and exits with 2: a port in use', async () => {
      const server = createServer()
      const port = await new Promise<number>((resolve) => {
        server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port))
      })
      try {
        for (const flag of ['--chain-port', '--indexer-port']) {
          const args = [flag, `${port}`, '--data', join(folder, 'port'), '--once', '--json']
          assertRefused(await start(args).finished, new RegExp(`Port ${port} .* is in use`))
        }
      } finally {
        server.close()
      }
    })

    it('is left by Ctrl-C while it waits for standard input', async () => {
      const args = ['--message', '-', '--data', join(folder, 'never'), '--once']
      const command = start(args, 'open')
      await command.feed(new Uint8Array(MIB / 2))
      command.signal('SIGINT')
      const { code, stderr } = await command.finished
      assert.deepEqual({ code, stderr }, { code: 130, stderr: '' })
      assert.ok(!(await exists(join(folder, 'never'))))
    })

    it('leaves a folder that is not its own as it was', async () => {
      assert.equal((await stat(join(folder, 'mine/letter.txt'))).size, 1)
    })
  })

  describe('in one data folder, run after run', () => {
    const data = () => join(folder, 'data')

    it('sends a file of 200 kB with every byte there is, and nobody else takes its folder', async () => {
      const bytes = Uint8Array.from({ length: 200_000 }, (_, i) => (i * 7 + (i >> 8)) % 256)
      const path = await file('picture.png', bytes)
      const args = ['--once', '--json', '--relays', '5', '--file', path, '--data', data()]
      const first = start(args)
      await until('the first run holds the folder', () => exists(join(data(), 'chain.log')))
      const second = await start(['--once', '--json', '--data', data()]).finished
      assertRefused(second, /in use|another/i)

      const { code, stdout, stderr } = await first.finished
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      assert.equal(stdout.trim().split('\n').length, 1, 'one JSON object and nothing else')
      assertReport(JSON.parse(stdout) as JsonReport, { relays: 5, bytes: bytes.length })
      assert.deepEqual(await processesNaming(data()), [])
    })

    it('starts again, sends standard input, stays up, and Ctrl-C ends every process', async () => {
      const bytes = Uint8Array.of(0xff, 0x00, 0x0d, 0x0a, 0xc3, 0x28, 0xf0)
      const [chainPort = 0, indexerPort = 0] = await freePorts(2)
      const ports = ['--chain-port', `${chainPort}`, '--indexer-port', `${indexerPort}`]
      const args = ['--json', '--relays', '4', '--message', '-', '--data', data(), ...ports]
      const command = start(args, bytes)
      const report = JSON.parse(await command.firstLine()) as JsonReport
      assertReport(report, { relays: 4, bytes: bytes.length })
      for (const { tx } of report.relays) assert.equal(await receiptStatus(chainPort, tx), '0x1')

      const profile = join(data(), 'network.json')
      const { rpcUrl, indexers, deployment } = await localNetwork(profile)
      const shown = [rpcUrl, ...indexers].map((url) => Number(new URL(url).port))
      assert.deepEqual(shown, [chainPort, indexerPort])
      assert.equal(deployment.chainId, 31_337)

      const listening = [chainPort, indexerPort, ...(await relayPorts(data(), 4))]
      for (const port of listening) assert.ok(await isListening(port), `port ${port} is served`)
      // A terminal sends the signal to the whole group, and npm passes its own on: two of them.
      command.signal('SIGINT')
      await sleep(50)
      command.signal('SIGINT')
      const { code, stderr } = await command.finished
      assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
      await assertNothingLeft(data(), listening)
      assert.ok(!(await exists(profile)), 'no profile of a network that is gone')
    })

    it('ends every process when Ctrl-C comes while they start', async () => {
      const [chainPort = 0] = await freePorts(1)
      const other = join(folder, 'other')
      const command = start(['--relays', '4', '--data', other, '--chain-port', `${chainPort}`])
      await until('a relay starts', () => exists(join(other, 'relay-1/config.json')))
      command.signal('SIGINT')
      const { code, stderr } = await command.finished
      assert.deepEqual({ code, stderr }, { code: 130, stderr: '' })
      await assertNothingLeft(other, [chainPort])
    })
  })
})

function assertRefused({ code, stdout, stderr }: Finished, sentence: RegExp): void {
  assert.match(stderr, sentence)
  assert.match(stderr, /^\S[^\n]+\n$/, 'one line, and no stack')
  assert.equal(stdout, '')
  assert.equal(code, 2)
}

async function assertNothingLeft(folder: string, ports: readonly number[]): Promise<void> {
  assert.deepEqual(await processesNaming(folder), [])
  for (const port of ports) assert.ok(!(await isListening(port)), `port ${port} is free again`)
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}

/** Where relays listen, by the settings that they were started with. */
async function relayPorts(folder: string, count: number): Promise<number[]> {
  const names = Array.from({ length: count }, (_, i) => `relay-${i + 1}`)
  const settings = names.map((name) => readFile(join(folder, name, 'config.json'), 'utf8'))
  return (await Promise.all(settings)).map((text) => {
    const { listen } = JSON.parse(text) as { listen: string[] }
    return Number(listen[0]?.split('/').at(-1))
  })
}

async function receiptStatus(port: number, tx: string | null): Promise<string> {
  const call = { jsonrpc: '2.0', id: 1, method: 'eth_getTransactionReceipt', params: [tx] }
  const headers = { 'content-type': 'application/json' }
  const body = JSON.stringify(call)
  const answer = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers, body })
  const { result } = (await answer.json()) as { result: { status: string } }
  return result.status
}
