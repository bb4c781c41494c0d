import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { COIN_TOKEN } from '@mainframe/protocol'
import { loadConfig, loadSettings } from '../../node/src/config.ts'
import { SETTINGS } from '../../node/src/settings.ts'

const ADDRESS = '0x00000000000000000000000000000000000000Ab'

describe('The settings of a relay', () => {
  let folder = ''
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-config-'))
  })
  after(() => rm(folder, { recursive: true }))

  async function file(name: string, content: unknown): Promise<string> {
    const path = join(folder, name)
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
    return path
  }
  const none = { flags: {}, environment: {} }

  it('refuses unknown keys of the file with a guess', async () => {
    const configFile = await file('typo.json', { rputeUnits: 5 })
    assert.throws(() => loadSettings({ ...none, configFile }), {
      code: 'CONFIG_INVALID',
      message: /rputeUnits .*did you mean routeUnits\?/,
    })
  })

  it('refuses unknown variables of its prefix with a guess, and no others', () => {
    const typo = { MAINFRAME_RELAY_RPC_ULR: 'x' }
    assert.throws(() => loadSettings({ flags: {}, environment: typo }), {
      message: /did you mean MAINFRAME_RELAY_RPC_URL\?/,
    })
    loadSettings({ flags: {}, environment: { MAINFRAME_OTHER: 'x', HOME: '/' } })
  })

  it('names the setting that has a wrong form', () => {
    const wrong = { routeUnits: '0', adminPort: '70000', logLevel: 'loud', listen: 'localhost' }
    for (const [name, text] of Object.entries(wrong)) {
      assert.throws(() => loadSettings({ flags: { [name]: text }, environment: {} }), {
        code: 'CONFIG_INVALID',
        message: new RegExp(name),
      })
    }
  })

  it('refuses a view of the chain that may be so old that no time to claim is left', () => {
    const flags = { maxChainAgeSeconds: '1801', noticeSeconds: '3600' }
    assert.throws(() => loadSettings({ flags, environment: {} }), {
      code: 'CONFIG_INVALID',
      message: /maxChainAgeSeconds is 1801, more than half of noticeSeconds, which is 3600/,
    })
    loadSettings({ flags: { ...flags, maxChainAgeSeconds: '1800' }, environment: {} })
  })

  it('says how to give what a command needs', () => {
    assert.throws(() => loadConfig(none), {
      message: /rpcUrl is missing: give --rpc-url, MAINFRAME_RELAY_RPC_URL/,
    })
  })

  it('says in one sentence that a file is missing, no JSON, or no deployment', async () => {
    const load = (deploymentFile: string) =>
      loadConfig({ flags: { rpcUrl: 'http://127.0.0.1:1', deploymentFile }, environment: {} })
    assert.throws(() => load(join(folder, 'no.json')), { message: /no\.json does not exist/ })
    const broken = await file('broken.json', '{')
    assert.throws(() => load(broken), { message: /cannot be read as JSON/ })
    const partial = await file('partial.json', { chainId: 1, block: 2, token: ADDRESS })
    assert.throws(() => load(partial), { message: /registry is missing/ })
  })

  it('prefers flags to the environment, and both to the file', async () => {
    const configFile = await file('three.json', {
      routeUnits: 1,
      noticeSeconds: 7_200,
      maxLinks: 3,
    })
    const { routeUnits, noticeSeconds, maxLinks, confirmations, listen } = loadSettings({
      flags: { routeUnits: '3', listen: '/ip4/127.0.0.1/tcp/4001,/ip4/127.0.0.1/tcp/4002/ws' },
      environment: { MAINFRAME_RELAY_ROUTE_UNITS: '2', MAINFRAME_RELAY_NOTICE_SECONDS: '9000' },
      configFile,
    })
    assert.deepEqual([routeUnits, noticeSeconds, maxLinks, confirmations], [3, 9_000, 3, 12])
    assert.deepEqual(listen, ['/ip4/127.0.0.1/tcp/4001', '/ip4/127.0.0.1/tcp/4002/ws'])
  })

  it('gives every setting a flag, a variable and words', () => {
    for (const { flag, variable, description } of SETTINGS) {
      assert.match(flag, /^--[a-z-]+$/)
      assert.match(variable, /^MAINFRAME_RELAY_[A-Z_]+$/)
      assert.ok(description.length > 10)
    }
    assert.equal(new Set(SETTINGS.map(({ flag }) => flag)).size, SETTINGS.length)
  })

  it('gives a deployment in lower case', async () => {
    const fields = { token: ADDRESS, registry: ADDRESS, board: ADDRESS, channels: ADDRESS }
    const deploymentFile = await file('deployment.json', { chainId: 31_337, block: 1, ...fields })
    const flags = { rpcUrl: 'http://127.0.0.1:8545', deploymentFile }
    const { deployment, rpcUrl } = loadConfig({ flags, environment: {} })
    assert.equal(deployment.token, ADDRESS.toLowerCase())
    assert.equal(rpcUrl, 'http://127.0.0.1:8545')
  })

  describe('that are media of exchange', () => {
    const OTHER = `0x${'Ab'.repeat(20)}`
    const UNIT = 10n ** 9n

    async function load(given: object, flags: Record<string, string> = {}) {
      const fields = { token: ADDRESS, registry: ADDRESS, board: ADDRESS, channels: ADDRESS }
      const deploymentFile = await file('media.json', { chainId: 31_337, block: 1, ...fields })
      const configFile = await file('accept.json', { rpcUrl: 'http://127.0.0.1:1', ...given })
      return loadConfig({ flags: { deploymentFile, ...flags }, environment: {}, configFile })
    }

    it('are refused with one sentence when they cannot be meant so', async () => {
      const faults: [object, RegExp][] = [
        [{ accept: [] }, /The setting accept must not have fewer than 1/],
        [{ accept: [{ token: 'usd' }] }, /accept\/0\/token must match/],
        [{ accept: [{ token: 'mft', rate: '1' }] }, /accept\/0\/rate is not known/],
        [{ accept: [{ token: 'coin', baseUnitsPerUnit: 3 }] }, /baseUnitsPerUnit must be string/],
        [{ accept: [{ token: 'coin' }] }, /accept\/0 needs a rate: how many base units/],
        [{ accept: [{ token: 'mft', baseUnitsPerUnit: '5' }] }, /leave the rate out/],
        [{ accept: [{ token: 'mft' }, { token: ADDRESS }] }, /accept names 0x0+ab twice/],
        [{ payWith: [{ token: 'coin' }] }, /payWith\/0 needs a rate/],
        [
          { accept: [{ token: 'coin', baseUnitsPerUnit: `${2n ** 96n}` }] },
          /accept\/0 makes prices or deposits that do not fit 96 bits/,
        ],
      ]
      for (const [given, message] of faults) {
        await assert.rejects(load(given), { code: 'CONFIG_INVALID', message })
      }
      await assert.rejects(load({}, { accept: 'mft,coin' }), { message: /accept must be array/ })
    })

    it('are MFT alone unless they are given', async () => {
      const { accept, payWith } = await load({ maxWindowUnits: 7, depositUnits: 5 })
      const token = ADDRESS.toLowerCase()
      assert.deepEqual(accept, [
        {
          token,
          baseUnitsPerUnit: UNIT,
          minDepositBase: 70n * UNIT,
          claimMinBase: 10n ** 9n * UNIT,
        },
      ])
      assert.deepEqual(
        payWith.map(({ token: each, depositBase }) => [each, depositBase]),
        [[token, 5n * UNIT]],
      )
    })

    it('are each at their own rate, MFT first to be paid in, and in the given order to pay with', async () => {
      const given = [
        { token: OTHER, baseUnitsPerUnit: '2', minDepositBase: '9' },
        { token: 'coin', baseUnitsPerUnit: '350000', claimMinBase: '8' },
        { token: 'mft' },
      ]
      const { accept } = await load({ accept: given, maxWindowUnits: 7 })
      assert.deepEqual(
        accept.map(({ token, baseUnitsPerUnit, minDepositBase }) => [
          token,
          baseUnitsPerUnit,
          minDepositBase,
        ]),
        [
          [ADDRESS.toLowerCase(), UNIT, 70n * UNIT],
          [OTHER.toLowerCase(), 2n, 9n],
          [COIN_TOKEN, 350_000n, 70n * 350_000n],
        ],
      )
      assert.equal(accept[2]?.claimMinBase, 8n)
      const flag = JSON.stringify([
        { token: 'coin', mostBaseUnitsPerUnit: '4', maxDepositBase: '6' },
        { token: 'mft' },
      ])
      const { payWith } = await load({ depositUnits: 5 }, { payWith: flag })
      assert.deepEqual(payWith[0], {
        token: COIN_TOKEN,
        mostBaseUnitsPerUnit: 4n,
        depositBase: 20n,
        maxDepositBase: 6n,
        lowWaterBase: 4n,
        maxDepositedBase: 400_000_000_000n,
      })
      assert.equal(payWith[1]?.token, ADDRESS.toLowerCase())
    })
  })

  it('takes the file that deploying writes, and a chain of several', async () => {
    const contract = { address: ADDRESS, block: 7, codeHash: '0x', arguments: [] }
    const record = { token: contract, registry: contract, board: contract, channels: contract }
    const deploymentFile = await file('addresses.json', { 1: record, 17: record })
    const flags = { rpcUrl: 'http://127.0.0.1:8545', deploymentFile }
    const { deployment } = loadConfig({ flags: { ...flags, chainId: '17' }, environment: {} })
    assert.deepEqual([deployment.chainId, deployment.block], [17, 7])
    assert.equal(deployment.channels, ADDRESS.toLowerCase())
    assert.throws(() => loadConfig({ flags, environment: {} }), {
      code: 'CONFIG_INVALID',
      message: /addresses\.json, there are chains 1, 17: say which by its chain id/,
    })
  })
})
