import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { MainframeError } from '@mainframe/protocol'
import { Admin } from '../../node/src/admin.ts'

describe('The admin interface', () => {
  let folder = ''
  let obstacles: string[] = ['it waits']
  let troubles: string[] = []
  let claim: () => Promise<object | undefined> = async () => undefined
  let admin: Admin
  const host = {
    troubles: () => troubles,
    obstacles: () => obstacles,
    metrics: () => [
      { name: 'a_total', help: 'A.', type: 'counter', value: 3 } as const,
      {
        name: 'b',
        help: 'B.',
        type: 'gauge',
        value: { label: 'outcome', values: { busy: 1, held: 2 } },
      } as const,
    ],
    status: () => ({ earnedBase: 12n ** 20n }),
    claim: () => claim(),
    earnings: async (days: object) => ({ asked: days }),
    audit: async () => ({ balanced: true }),
  }
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mainframe-admin-'))
    admin = new Admin({ dataFolder: folder, port: 0, host })
    await admin.start()
  })
  after(async () => {
    await admin.stop()
    await rm(folder, { recursive: true })
  })

  async function ask(path: string, { method = 'GET', token = '' } = {}) {
    const file = JSON.parse(await readFile(join(folder, 'admin.json'), 'utf8'))
    const headers = { authorization: `Bearer ${token || file.token}` }
    const response = await fetch(file.url + path, { method, headers })
    return { status: response.status, body: await response.text() }
  }

  it('answers 401 without the token, on every path', async () => {
    for (const path of ['/status', '/metrics', '/healthz', '/readyz', '/claim', '/']) {
      assert.equal((await fetch(admin.url + path)).status, 401)
      assert.equal((await ask(path, { token: 'x'.repeat(64) })).status, 401)
      assert.equal((await ask(path, { token: 'short' })).status, 401)
    }
  })

  it('answers 404 for what it does not have, in whatever way it is asked', async () => {
    assert.equal((await ask('/nothing')).status, 404)
    assert.equal((await ask('/claim')).status, 404)
    assert.equal((await ask('/status', { method: 'DELETE' })).status, 404)
  })

  it('refuses a port that is in use', async () => {
    const port = Number(new URL(admin.url).port)
    const second = new Admin({ dataFolder: folder, port, host })
    await assert.rejects(second.start(), { code: 'CONFIG_IN_USE' })
  })

  it('keeps its token in a file of the owner alone', async () => {
    const { mode } = await stat(join(folder, 'admin.json'))
    assert.equal(mode & 0o777, 0o600)
  })

  it('says whether the relay is ready', async () => {
    const unready = await ask('/readyz')
    assert.equal(unready.status, 503)
    assert.deepEqual(JSON.parse(unready.body), { ok: false, reasons: ['it waits'] })
    assert.equal((await ask('/healthz')).status, 200)
    obstacles = []
    const ready = await ask('/readyz')
    assert.equal(ready.status, 200)
    assert.deepEqual(JSON.parse(ready.body), { ok: true, reasons: [] })
  })

  it('says what ails the relay, to whoever asks for its health or readiness', async () => {
    troubles = ['the chain has not answered for 40 s', 'the hold store is full']
    for (const path of ['/healthz', '/readyz']) {
      const { status, body } = await ask(path)
      assert.equal(status, 503)
      assert.deepEqual(JSON.parse(body), { ok: false, reasons: troubles })
    }
    troubles = []
  })

  it('writes metrics in the text format, and bigints as decimal strings', async () => {
    const { body } = await ask('/metrics')
    assert.ok(body.includes('# TYPE a_total counter\na_total 3\n'))
    assert.ok(body.includes('b{outcome="busy"} 1\nb{outcome="held"} 2\n'))
    assert.equal(JSON.parse((await ask('/status')).body).earnedBase, (12n ** 20n).toString())
  })

  it('tells what was earned on the days asked for, and audits by POST', async () => {
    const asked = await ask('/earnings?from=2026-08-01&to=2026-08-19')
    assert.deepEqual(JSON.parse(asked.body), { asked: { from: '2026-08-01', to: '2026-08-19' } })
    assert.deepEqual(JSON.parse((await ask('/earnings')).body), { asked: {} })
    const audited = await ask('/audit', { method: 'POST' })
    assert.deepEqual(JSON.parse(audited.body), { balanced: true })
    assert.equal((await ask('/audit')).status, 404)
  })

  it('claims by POST, and passes on why a claim failed', async () => {
    assert.deepEqual(JSON.parse((await ask('/claim', { method: 'POST' })).body), { claim: null })
    claim = async () => ({ txHash: '0x01', paidBase: 5n })
    const { body } = await ask('/claim', { method: 'POST' })
    assert.deepEqual(JSON.parse(body), { claim: { txHash: '0x01', paidBase: '5' } })
    claim = () => Promise.reject(new MainframeError('CHAIN_UNREACHABLE', 'The chain is away'))
    const failed = await ask('/claim', { method: 'POST' })
    assert.equal(failed.status, 500)
    assert.deepEqual(JSON.parse(failed.body), {
      code: 'CHAIN_UNREACHABLE',
      message: 'The chain is away',
    })
  })
})
