import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RelayProcess } from '@mainframe/localnet'

/** A gauge or counter without labels from the relay's `/metrics`. */
export async function readMetric({ folder }: RelayProcess, name: string): Promise<number> {
  const admin = await readFile(join(folder, 'admin.json'), 'utf8')
  const { url, token } = JSON.parse(admin) as { url: string; token: string }
  const headers = { authorization: `Bearer ${token}` }
  const text = await (await fetch(new URL('/metrics', url), { headers })).text()
  const value = new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]
  return value === undefined ? assert.fail(`there is no metric ${name}`) : Number(value)
}
