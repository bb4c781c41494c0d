import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { formatMft } from '@mainframe/protocol'
import { networkNames, parseNetwork, readNetwork } from '../../deploy/networks.ts'
import config from '../../hardhat.config.ts'

const ROOT = new URL('../../', import.meta.url)
const textOf = (path: string) => readFileSync(new URL(path, ROOT), 'utf8')
const TREASURY = '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed'

const PUBLIC = { ...JSON.parse(textOf('deploy/config/sepolia.json')), treasury: TREASURY }
const LOCAL = JSON.parse(textOf('deploy/config/localhost.json'))

function refuses(form: unknown, message: RegExp): void {
  const text = typeof form === 'string' ? form : JSON.stringify(form)
  assert.throws(
    () => parseNetwork('sepolia', text),
    (error: Error & { code: string }) => {
      assert.equal(error.code, 'CONFIG_INVALID')
      assert.match(error.message, /^deploy\/config\/sepolia\.json: [^\n]+$/)
      assert.match(error.message, message)
      return true
    },
  )
}

describe('The parameters of a network', () => {
  it('are refused when the file is no JSON object', () => {
    refuses('{', /this is no JSON/)
    refuses('[]', /this is no JSON object/)
    refuses('null', /this is no JSON object/)
  })

  it('are refused with a key that is unknown, with a guess where there is one', () => {
    refuses({ ...PUBLIC, unbondingSeconds: 1 }, /unbondingSeconds is unknown/)
    refuses({ ...PUBLIC, tresury: TREASURY }, /tresury is unknown; did you mean treasury\?/)
    refuses({ ...PUBLIC, privateKey: '0x' }, /privateKey is unknown$/)
  })

  it('are refused when one is missing', () => {
    for (const key of Object.keys(LOCAL)) {
      const { [key]: _, ...rest } = PUBLIC
      refuses(rest, new RegExp(`${key} is missing and must be `))
    }
  })

  it('are refused when one is impossible, in a sentence that says what is possible', () => {
    const wrong: [string, unknown, RegExp][] = [
      ['chainId', 0, /chainId is 0 and must be the id of the chain/],
      ['chainId', '1', /chainId is "1"/],
      ['confirmations', 0, /confirmations is 0 .* from 1 to 1000/],
      ['minimumStakeMft', 100, /minimumStakeMft is 100 .* in quotes/],
      ['minimumStakeMft', '-1', /minimumStakeMft is "-1"/],
      ['minimumStakeMft', '1e5', /minimumStakeMft is "1e5"/],
      ['minimumStakeMft', '0.0', /more than 0/],
      ['minimumStakeMft', '10000000001', /at most 10000000000, the supply/],
      ['unbondingPeriodSeconds', -1, /unbondingPeriodSeconds is -1 .* from 0 to 31536000/],
      ['unbondingPeriodSeconds', 31_536_001, /from 0 to 31536000/],
      ['unbondingPeriodSeconds', 1.5, /a whole number of seconds/],
      ['priceDelaySeconds', 2_592_001, /priceDelaySeconds is 2592001 .* to 2592000/],
      ['priceDelaySeconds', 60, /at least 1920 on a public network/],
      ['minimumNoticeSeconds', 0, /minimumNoticeSeconds is 0 .* from 1 to/],
      ['minimumNoticeSeconds', 2_592_001, /not be more than maximumNoticeSeconds/],
      ['maximumNoticeSeconds', 2 ** 32, /maximumNoticeSeconds is 4294967296/],
      ['treasury', '0x12', /treasury is "0x12" and must be an address/],
      ['treasury', null, /treasury is null/],
      ['treasury', TREASURY.replace('aAeb', 'AAeb'), /the checksum of treasury is wrong/],
      ['treasury', `0x${'0'.repeat(40)}`, /must not be the zero address/],
    ]
    for (const [key, value, message] of wrong) refuses({ ...PUBLIC, [key]: value }, message)
  })

  it('must name a treasury on a public network, and need not on a development chain', () => {
    const { treasury, ...rest } = PUBLIC
    refuses(rest, /treasury is missing: name the address/)
    assert.equal(parseNetwork('localhost', JSON.stringify(LOCAL)).parameters.treasury, undefined)
    const named = parseNetwork('localhost', JSON.stringify({ ...LOCAL, treasury }))
    assert.equal(named.parameters.treasury, TREASURY)
  })

  it('become amounts in base units and an address with its checksum', () => {
    const form = { ...PUBLIC, treasury: TREASURY.toLowerCase(), minimumStakeMft: '1.5' }
    const network = parseNetwork('sepolia', JSON.stringify(form))
    assert.equal(network.parameters.minimumStake, 15n * 10n ** 17n)
    assert.equal(network.parameters.treasury, TREASURY)
    assert.equal(network.isDevelopment, false)
  })
})

describe('The networks of the repository', () => {
  it('are known by name only, with a guess', () => {
    assert.throws(() => readNetwork('seplia'), {
      code: 'CONFIG_INVALID',
      message: 'There is no network seplia; did you mean sepolia?',
    })
    assert.throws(() => readNetwork('../package'), /there are localhost, mainnet, sepolia$/)
  })

  it('wait for a treasury to be named, where they are public', () => {
    for (const name of ['mainnet', 'sepolia']) {
      assert.throws(() => readNetwork(name), /treasury is missing/)
    }
  })

  it('have the parameters that the design gives, seconds locally and an hour in public', () => {
    const local = readNetwork('localhost')
    assert.equal(local.parameters.priceDelaySeconds, 1)
    assert.equal(local.isDevelopment, true)
    for (const name of ['mainnet', 'sepolia']) {
      const form = { ...JSON.parse(textOf(`deploy/config/${name}.json`)), treasury: TREASURY }
      const { parameters, isDevelopment } = parseNetwork(name, JSON.stringify(form))
      assert.equal(parameters.priceDelaySeconds, 3_600)
      assert.equal(parameters.unbondingPeriodSeconds, 14 * 86_400)
      assert.equal(formatMft(parameters.minimumStake ?? 0n), '100000')
      assert.equal(isDevelopment, false)
    }
  })

  it('are networks of Hardhat, and Hardhat has no other to deploy to', () => {
    const remote = Object.entries(config.networks ?? {}).filter(([, { type }]) => type === 'http')
    assert.deepEqual(remote.map(([name]) => name).sort(), networkNames())
  })

  it('are bounded as the contracts are', () => {
    const bound = (contract: string, name: string) => {
      const [, days = ''] =
        textOf(`contracts/${contract}.sol`).match(new RegExp(`${name} = (\\d+) days;`)) ?? []
      return Number(days) * 86_400
    }
    const longest = (key: string) => {
      const form = { ...PUBLIC, [key]: Number.MAX_SAFE_INTEGER }
      const parse = () => parseNetwork('sepolia', JSON.stringify(form))
      let most = 0
      assert.throws(parse, ({ message }) => {
        most = Number(/ to (\d+)$/.exec(message)?.[1])
        return true
      })
      return most
    }
    assert.equal(longest('priceDelaySeconds'), bound('PriceBoard', 'MAX_DELAY'))
    assert.equal(longest('unbondingPeriodSeconds'), bound('ServiceRegistry', 'MAX_UNBONDING'))
    assert.equal(longest('maximumNoticeSeconds'), 2 ** 32 - 1)
  })

  it('hold no keys: addresses.json begins empty, and what is secret is a variable', () => {
    assert.deepEqual(JSON.parse(textOf('deploy/addresses.json')), {})
    for (const name of networkNames()) {
      assert.doesNotMatch(textOf(`deploy/config/${name}.json`), /[0-9a-f]{64}/i)
    }
    assert.doesNotMatch(textOf('hardhat.config.ts'), /[0-9a-f]{64}/i)
  })
})
