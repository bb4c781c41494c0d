/** Names of people who chat from the same folder: `/add bob` instead of sixty letters. */
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeContactCode } from '@mainframe/protocol'

export interface Directory {
  /** Of a name that is known here, or the code itself. Throws for other names. */
  codeOf(who: string): Promise<string>
  nameOfCode(code: string): Promise<string>
  nameOfKey(inboxKey: Uint8Array): Promise<string>
}

const FILE = 'code'
/** Letters of a code that stand for somebody without a name. */
const SHORT = 12

/** Writes down who we are, and reads who others are. */
export async function openDirectory(
  folder: string,
  self: { name: string; code: string },
): Promise<Directory> {
  await writeFile(join(folder, self.name, FILE), `${self.code}\n`)
  const codes = async () => {
    const names = await readdir(folder)
    const pairs = names.map(async (name) => {
      const code = await readFile(join(folder, name, FILE), 'utf8').catch(() => '')
      return [name, code.trim()] as const
    })
    return new Map(await Promise.all(pairs))
  }
  const nameOfCode = async (code: string) => {
    const found = [...(await codes())].find(([, known]) => known === code)
    return found?.[0] ?? `${code.slice(0, SHORT)}…`
  }
  return {
    codeOf: async (who) => {
      const code = (await codes()).get(who) ?? ''
      if (code || who.startsWith('mf1')) return code || who
      throw new Error(`Nobody in ${folder} is called "${who}"; take a contact code, mf1…`)
    },
    nameOfCode,
    nameOfKey: (inboxKey) => nameOfCode(encodeContactCode(inboxKey)),
  }
}

export function nameOf(directory: Directory, code: string): Promise<string> {
  return directory.nameOfCode(code)
}
