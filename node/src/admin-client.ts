/** Asking a running relay of this machine. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { MainframeError } from '@mainframe/protocol'

/** The answer of the admin interface of the relay that runs in a data folder. */
export async function askRelay(
  dataFolder: string,
  path: string,
  method: 'GET' | 'POST' = 'GET',
): Promise<Record<string, unknown>> {
  const { url, token } = await readAdminFile(dataFolder)
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(url + path, { method, headers }).catch((cause: unknown) => {
    throw notRunning(dataFolder, cause)
  })
  const body = (await response.json()) as Record<string, unknown>
  if (response.ok) return body
  const message = typeof body['message'] === 'string' ? body['message'] : 'no reason given'
  throw new MainframeError('NETWORK_CLOSED', `The relay did not do it: ${message}`)
}

async function readAdminFile(dataFolder: string): Promise<{ url: string; token: string }> {
  try {
    return JSON.parse(await readFile(join(dataFolder, 'admin.json'), 'utf8'))
  } catch (cause) {
    throw notRunning(dataFolder, cause)
  }
}

function notRunning(dataFolder: string, cause: unknown): MainframeError {
  const message = `No relay runs in ${dataFolder}; start it with "relay start --data ${dataFolder}"`
  return new MainframeError('CONFIG_INVALID', message, { cause })
}
