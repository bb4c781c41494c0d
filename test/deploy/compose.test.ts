import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { parse } from 'yaml'
import { SETTINGS as INDEXER_SETTINGS } from '../../indexer/src/config.ts'
import { SETTINGS as RELAY_SETTINGS } from '../../node/src/settings.ts'

interface Service {
  image: string
  command?: string[]
  environment?: Record<string, string>
  volumes: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test: string[] }
}

const file = new URL('../../deploy/compose.yaml', import.meta.url)
const compose = parse(readFileSync(file, 'utf8'), { merge: true, strict: true }) as {
  services: Record<string, Service>
  volumes: Record<string, null>
}

describe('deploy/compose.yaml', () => {
  const services = Object.entries(compose.services)

  it('has PostgreSQL, an indexer and a relay, of named versions', () => {
    assert.deepEqual(Object.keys(compose.services), ['postgres', 'indexer', 'relay'])
    for (const [name, { image }] of services) assert.match(image, /^[a-z]+:\d/, name)
  })

  it('starts programs that are there, with settings that they know', () => {
    const known = [...INDEXER_SETTINGS, ...RELAY_SETTINGS].map(({ variable }) => variable)
    for (const [name, { command, environment = {} }] of services) {
      const program = command?.[1]
      if (program) assert.ok(existsSync(new URL(`../../${program}`, import.meta.url)), program)
      for (const variable of Object.keys(environment)) {
        if (!variable.startsWith('POSTGRES_'))
          assert.ok(known.includes(variable), `${name}: ${variable}`)
      }
    }
  })

  it('keeps data in volumes that it declares, and waits for services that it has', () => {
    for (const [name, { volumes, depends_on = {} }] of services) {
      for (const volume of volumes) {
        const [source = ''] = volume.split(':')
        assert.ok(source.startsWith('.') || source in compose.volumes, `${name}: ${source}`)
      }
      for (const [other, { condition }] of Object.entries(depends_on)) {
        assert.equal(condition, 'service_healthy')
        assert.ok(compose.services[other]?.healthcheck, other)
      }
    }
  })
})
