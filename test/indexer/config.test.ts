import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { loadConfig, SETTINGS } from '../../indexer/src/config.ts'
import { DEPLOYMENT } from './fake-chain.ts'

describe('the configuration', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mainframe-config-'))
  const deployment = join(folder, 'deployment.json')
  const mixedCase = { ...DEPLOYMENT, token: `0x${'aA'.repeat(20)}`, more: 'is ignored' }
  writeFileSync(deployment, JSON.stringify(mixedCase))
  after(() => rmSync(folder, { recursive: true, force: true }))

  const flags = { rpcUrl: 'http://127.0.0.1:1', deployment }
  function file(name: string, content: unknown): string {
    const path = join(folder, name)
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  function refuses(sources: Partial<Parameters<typeof loadConfig>[0]>, message: RegExp): void {
    const load = () => loadConfig({ flags, environment: {}, ...sources })
    assert.throws(load, (error: Error & { code: string }) => {
      assert.equal(error.code, 'CONFIG_INVALID')
      assert.match(error.message, message)
      assert.doesNotMatch(error.message, /\n/)
      return true
    })
  }

  it('refuses what is unknown, and says what was probably meant', () => {
    refuses({ configFile: file('a.json', { rpcURL: '' }) }, /rpcURL in .*did you mean rpcUrl\?/)
    refuses({ configFile: file('b.json', { quite: 1 }) }, /Unknown setting quite in [^;]*$/)
    const environment = { MAINFRAME_INDEXER_PROT: '1' }
    refuses({ environment }, /did you mean MAINFRAME_INDEXER_PORT\?/)
  })

  it('refuses what is missing or out of bounds', () => {
    refuses({ flags: { rpcUrl: flags.rpcUrl } }, /^The setting deployment is missing$/)
    refuses({ flags: { ...flags, rpcUrl: 'localhost' } }, /rpcUrl must match/)
    refuses(
      { flags: { ...flags, rpcUrl: 'http://a b/secret' } },
      /^The setting rpcUrl is not a URL$/,
    )
    refuses({ flags: { ...flags, port: '65536' } }, /port must be <= 65535/)
    refuses({ flags: { ...flags, port: '1e3' } }, /port must be integer/)
    refuses({ flags: { ...flags, finalityDepth: '0' } }, /finalityDepth must be >= 1/)
    refuses({ flags: { ...flags, logLevel: 'loud' } }, /logLevel must be/)
    refuses({ environment: { DATABASE_URL: 'mysql://x' } }, /databaseUrl must match/)
  })

  it('refuses files that are not there, not JSON, or of another form', () => {
    refuses({ configFile: join(folder, 'none') }, /none does not exist$/)
    refuses({ configFile: file('c.json', '{') }, /cannot be read as JSON$/)
    refuses({ configFile: file('d.json', []) }, /does not hold a JSON object$/)
    const noBoard = file('e.json', { ...DEPLOYMENT, board: undefined })
    refuses({ flags: { ...flags, deployment: noBoard } }, /In the deployment, board is missing/)
    const badBoard = file('f.json', { ...DEPLOYMENT, board: '0x12' })
    refuses({ flags: { ...flags, deployment: badBoard } }, /In the deployment, board is no address/)
  })

  it('takes flags before environment before file before defaults', () => {
    const configFile = file('g.json', { port: 1, host: '::1', pollIntervalMs: 30 })
    const environment = { MAINFRAME_INDEXER_PORT: '2', MAINFRAME_INDEXER_HOST: '0.0.0.0' }
    const config = loadConfig({ flags: { ...flags, port: '3' }, environment, configFile })
    assert.deepEqual(
      [config.port, config.host, config.pollIntervalMs, config.logLevel],
      [3, '0.0.0.0', 30, 'info'],
    )
    assert.deepEqual(config.deployment, DEPLOYMENT)
    assert.equal(config.dataFolder, 'data/indexer')
    assert.ok(Object.isFrozen(config))
  })

  it('takes the file that deploying writes, and a chain of several', () => {
    const contract = (address: string) => ({ address, block: 7, codeHash: '0x', arguments: [] })
    const { token, registry, board, channels } = DEPLOYMENT
    const record = {
      token: contract(token),
      registry: contract(registry),
      board: contract(board),
      channels: contract(channels),
    }
    const addresses = file('addresses.json', { 1: record, 17: record })
    const load = (chainId?: string) =>
      loadConfig({ flags: { ...flags, deployment: addresses, chainId }, environment: {} })
    assert.deepEqual(load('17').deployment, { ...DEPLOYMENT, chainId: 17, block: 7 })
    refuses({ flags: { ...flags, deployment: addresses } }, /chains 1, 17: say which/)
  })

  it('keeps no folder when there is a server, and has no flag for its password', () => {
    const environment = { DATABASE_URL: 'postgres://a:b@localhost/c' }
    const config = loadConfig({ flags, environment })
    assert.equal(config.dataFolder, undefined)
    assert.equal(config.databaseUrl, environment.DATABASE_URL)
    assert.equal(SETTINGS.find(({ name }) => name === 'databaseUrl')?.flag, '')
  })
})
