import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { SETTINGS } from '../../indexer/src/config.ts'
import { METRICS } from '../../indexer/src/http/metrics.ts'
import { blocksOf, readDocument } from '../docs/support/documents.ts'
import { PGLITE } from './databases.ts'
import { account, nodeIdOfName, word } from './fake-chain.ts'
import { mineRelays, type Rig, startRig } from './rig.ts'

const PAGE = 'docs/indexer.md'
const docs = readDocument(PAGE)

describe(PAGE, () => {
  it('lists exactly the settings there are, with their defaults', () => {
    const [, section = ''] = docs.split('## Settings')
    const lines = (section.split('## ')[0] ?? '')
      .split('\n')
      .filter((line) => line.startsWith('| '))
    const cells = lines.map((line) => line.split('|').slice(1, -1))
    const listed = cells.slice(1).map((row) => {
      const [name, flag, variable, value] = row.map((cell) => cell.replaceAll('`', '').trim())
      return { name, flag, variable, default: value }
    })
    const real = SETTINGS.map(({ name, flag, variable, default: value }) => {
      return { name, flag, variable, default: String(value ?? '') }
    })
    assert.deepEqual(listed, real)
  })

  it('lists exactly the metrics there are', () => {
    const [, section = ''] = docs.split('## Metrics')
    const listed = [...(section.split('## ')[0] ?? '').matchAll(/`((?:indexer|process)_\w+)`/g)]
    assert.deepEqual(
      listed.map(([, name]) => name),
      Object.keys(METRICS),
    )
  })
})

/** A line of the examples: a request as curl is given it, and what stands behind. */
interface Example {
  path: string
  body: string | undefined
  names: string
}

function parseExample(line: string): Example {
  const [, path, body, names] =
    /^curl (?:-N )?"\$API(\S+)"(?: -H "content-type: application\/json" -d '(.+)')? +# (.+)$/.exec(
      line,
    ) ?? []
  assert.ok(path && names, `in another form than the others: ${line}`)
  return { path, body, names }
}

describe(`the examples of ${PAGE}`, () => {
  const examples = blocksOf(PAGE, 'sh').join('').trim().split('\n').map(parseExample)
  const places: Record<string, string> = {
    $NODE: nodeIdOfName('relay0/0'),
    $CHANNEL: word('channel'),
    $ACCOUNT: account('payer'),
  }
  let rig: Rig
  before(async () => {
    rig = await startRig(await PGLITE.settings(), (chain) => {
      mineRelays(chain, 4)
      chain.mine([{ type: 'open', channel: 'channel', payer: 'payer', payee: 'p', deposit: 1n }])
    })
  })
  after(() => rig?.stop())

  const ask = ({ path, body }: Example) => {
    const url = rig.indexer.url + path.replaceAll(/\$[A-Z]+/g, (name) => places[name] ?? name)
    const headers = { 'content-type': 'application/json' }
    return fetch(url, body === undefined ? {} : { method: 'POST', headers, body })
  }

  it('are one for each route of /v1', async () => {
    const { paths } = (await (await fetch(`${rig.indexer.url}/openapi.json`)).json()) as {
      paths: Record<string, object>
    }
    const routes = Object.keys(paths).filter((path) => path.startsWith('/v1/'))
    const shown = examples.map(({ path }) =>
      (path.split('?')[0] ?? '')
        .replace('$ACCOUNT', '{address}')
        .replace(/\$\w+|route%2F1/, '{id}'),
    )
    assert.deepEqual(shown.toSorted(), routes.toSorted())
  })

  for (const example of examples) {
    it(`${example.path} answers what stands behind it`, async () => {
      const response = await ask(example)
      assert.equal(response.status, 200)
      const type = response.headers.get('content-type') ?? ''
      if (type.startsWith('text/event-stream')) {
        const first = await response.body?.getReader().read()
        assert.match(new TextDecoder().decode(first?.value), /^retry: \d+\nid: \d+\nevent: \w+\n/)
        return
      }
      const text = await response.text()
      if (type.startsWith('application/x-ndjson')) {
        const lines = text
          .trim()
          .split('\n')
          .map((line) => Object.keys(JSON.parse(line)))
        assert.deepEqual(lines[0], ['meta'])
        assert.equal(lines.length, 3)
        return
      }
      assert.deepEqual(Object.keys(JSON.parse(text)).join(', '), example.names)
    })
  }
})
