import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { access, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TYPEDOC = join(dirname(createRequire(import.meta.url).resolve('typedoc')), '../bin/typedoc')

it('the reference of the client is built, and no exported name is without a comment', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'reference-'))
  try {
    // a name without a comment, and a link that leads nowhere, are warnings that it fails by
    const args = [TYPEDOC, '--options', 'sdk/typedoc.json', '--out', folder]
    await promisify(execFile)(process.execPath, args, { cwd: ROOT })
    const pages = ['classes/Mainframe', 'interfaces/Messenger', 'interfaces/Conversation']
    for (const page of pages) await assert.doesNotReject(access(join(folder, `${page}.html`)))
  } finally {
    await rm(folder, { recursive: true })
  }
})
