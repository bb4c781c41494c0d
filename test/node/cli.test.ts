import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { type Hex, toHex } from '@mainframe/protocol'
import { freePorts } from '../../localnet/src/ports.ts'
import { startChain, type TestChain } from '../helpers/chain.ts'
import { MFT, until } from './chain-support.ts'

const CLI = join(import.meta.dirname, '../../node/src/cli.ts')

interface Run {
  code: number | null
  out: string
  err: string
}

function launch(args: readonly string[]): ChildProcess {
  return spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
}

async function run(...args: string[]): Promise<Run> {
  const child = launch(args)
  let [out, err] = ['', '']
  child.stdout?.on('data', (chunk) => (out += chunk))
  child.stderr?.on('data', (chunk) => (err += chunk))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

/** A started relay and the events that it printed. */
function start(configFile: string) {
  const child = launch(['start', '--config', configFile, '--json'])
  const events: Record<string, unknown>[] = []
  if (child.stdout)
    createInterface(child.stdout).on('line', (line) => events.push(JSON.parse(line)))
  const exited = once(child, 'exit') as Promise<[number | null, string | null]>
  const saw = (event: string) => until(() => events.some((e) => e['event'] === event), 30_000)
  return { child, events, exited, saw }
}

describe('The command line of a relay', () => {
  let chain: TestChain
  let root = ''
  let configFile = ''
  let port = 0
  let identity: { hotAccount: Hex } = { hotAccount: '0x' }
  const settings = () => ({
    dataFolder: join(root, 'relay'),
    rpcUrl: chain.rpcUrl,
    deploymentFile: chain.deploymentFile,
    listen: [`/ip4/127.0.0.1/tcp/${port}`],
    confirmations: 1,
    pollIntervalMs: 50,
    logLevel: 'warn',
  })
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'mainframe-cli-'))
    chain = await startChain({ intervalMs: 100 })
    const ports = await freePorts(1)
    port = ports[0] ?? 0
    configFile = join(root, 'config.json')
    await writeFile(configFile, JSON.stringify(settings()))
  })
  after(async () => {
    await chain?.stop()
    await rm(root, { recursive: true })
  })

  it('says in one sentence what is wrong with a command, and exits with 2', async () => {
    const wrong: [string[], RegExp][] = [
      [['strat'], /unknown command 'strat'\n\(Did you mean start\?\)/],
      [['start', '--route-unit', '5'], /Did you mean --route-units\?/],
      [['start'], /rpcUrl is missing/],
      [['start', '--config', join(root, 'none.json')], /none\.json does not exist/],
      [['status', '--data', join(root, 'none')], /No relay runs in .*none/],
      [['start', '--config', configFile], /There is no key file/],
      [['register', '--config', configFile], /--operator-key-file/],
    ]
    const runs = await Promise.all(wrong.map(([args]) => run(...args)))
    runs.forEach(({ code, err, out }, i) => {
      assert.equal(code, 2, err)
      assert.match(err, wrong[i]?.[1] ?? /never/)
      assert.doesNotMatch(err, /\n {4}at /, 'no stack trace')
      assert.equal(out, '')
    })
  })

  it('explains every command', async () => {
    const { code, out } = await run('start', '--help')
    assert.equal(code, 0)
    assert.match(out, /--hold-quota-bytes <value>/)
    assert.match(out, /MAINFRAME_RELAY_RPC_URL/)
  })

  it('creates keys once, and shows no secret', async () => {
    const first = await run('init', '--data', settings().dataFolder, '--json')
    const second = await run('init', '--data', settings().dataFolder, '--json')
    assert.equal(first.code, 0, first.err)
    assert.equal(first.out, second.out)
    identity = JSON.parse(first.out)
    const keys = JSON.parse(await readFile(join(settings().dataFolder, 'keys.json'), 'utf8'))
    for (const secret of Object.values<string>(keys)) assert.ok(!first.out.includes(secret))
  })

  it('registers, starts, holds its folder and port, survives a kill and stops cleanly', async () => {
    const { dataFolder } = settings()
    await chain.fund(identity.hotAccount, 10n * MFT)
    const operator = await chain.createAccount(1_000n * MFT)
    const keyFile = join(root, 'operator.key')
    await writeFile(keyFile, `${toHex(operator.secretKey)}\n`, { mode: 0o600 })
    const flags = ['--config', configFile, '--operator-key-file', keyFile, '--json']
    const registered = await run('register', ...flags)
    assert.equal(registered.code, 0, registered.err)
    const { nodeId, transaction } = JSON.parse(registered.out)
    assert.match(transaction, /^0x[0-9a-f]{64}$/)
    assert.equal(JSON.parse((await run('register', ...flags)).out).transaction, null)

    const first = start(configFile)
    await first.saw('ready')
    const listening = first.events.find(({ event }) => event === 'listening')
    assert.equal(listening?.['nodeId'], nodeId)
    assert.match(String(listening?.['multiaddrs']), new RegExp(`^/ip4/127.0.0.1/tcp/${port}/p2p/`))

    const locked = await run('start', '--config', configFile)
    assert.equal(locked.code, 2)
    assert.match(locked.err, /in use by process/)
    const status = await run('status', '--data', dataFolder)
    assert.match(status.out, new RegExp(`node       ${nodeId}\n`))
    const claim = await run('claim', '--data', dataFolder)
    assert.match(claim.out, /nothing to claim/)
    const [audit, earnings] = await Promise.all([
      run('audit', '--data', dataFolder),
      run('earnings', '--data', dataFolder, '--csv'),
    ])
    assert.deepEqual([audit.code, audit.out.split('\n').at(-2)], [0, 'balanced'], audit.err)
    assert.match(audit.out, /\nwallet +10\.000000000\n/)
    assert.match(earnings.out, /^day,token,account,channel,route,/)

    first.child.kill('SIGKILL')
    await first.exited
    const second = start(configFile)
    await second.saw('ready')
    second.child.kill('SIGTERM')
    assert.deepEqual(await second.exited, [0, null])
    assert.equal((await run('status', '--data', dataFolder)).code, 2)
  })

  it('audits the folder of a relay that is stopped, and exits with 1 when something is missing', async () => {
    const { dataFolder } = settings()
    const [unset, wrongDay] = await Promise.all([
      run('audit', '--data', dataFolder),
      run('earnings', '--data', dataFolder, '--from', '2026-13-01'),
    ])
    assert.deepEqual([unset.code, wrongDay.code], [2, 2])
    assert.match(unset.err, /rpcUrl is missing/)
    assert.match(wrongDay.err, /"2026-13-01" is not a day such as/)
    const audit = await run('audit', '--config', configFile)
    assert.deepEqual([audit.code, audit.out.split('\n').at(-2)], [0, 'balanced'], audit.err)

    await rm(join(dataFolder, 'accounts'), { recursive: true })
    const robbed = await run('audit', '--config', configFile)
    assert.equal(robbed.code, 1)
    const missing =
      'wallet: 0.000000000 MFT by the entries of the ledger, 10.000000000 MFT by logs and chain'
    assert.ok(robbed.out.includes(`\nnot balanced\n${missing}: 10.000000000 MFT not entered\n`))
  })

  it('says when its port is taken', async () => {
    const { createServer } = await import('node:net')
    const server = createServer().listen(port, '127.0.0.1')
    await once(server, 'listening')
    const { code, err } = await run('start', '--config', configFile)
    server.close()
    assert.equal(code, 2)
    assert.match(err, /port .*in use/)
  })
})
