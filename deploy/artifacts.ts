/** The compiled contracts of this repository, read without starting Hardhat, which would take a second. */
import { readFile } from 'node:fs/promises'
import { MainframeError } from '@mainframe/protocol'
import type { Artifact, ArtifactResolver } from '@nomicfoundation/ignition-core'

const ARTIFACTS = new URL('../artifacts/', import.meta.url)

/** The code of a contract as it comes out of the compiler. */
export interface CompiledCode {
  deployedBytecode: string
  /** Where the constructor writes immutables into the code, by the compiler's number of each. */
  immutableReferences?: Record<string, { start: number; length: number }[]>
}

/** The compiler's output for a contract. Throws `CONFIG_INVALID` when it is not compiled. */
export async function readArtifact(
  name: string,
  folder = ARTIFACTS,
): Promise<Artifact & CompiledCode> {
  const file = new URL(`contracts/${name}.sol/${name}.json`, folder)
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Artifact & CompiledCode
  } catch (cause) {
    const message = `The contract ${name} is not compiled; run \`npm run build\``
    throw new MainframeError('CONFIG_INVALID', message, { cause })
  }
}

export function createArtifactResolver(folder = ARTIFACTS): ArtifactResolver {
  return {
    loadArtifact: (name) => readArtifact(name, folder),
    // only `hardhat ignition verify` asks for it; sources are verified from the records instead
    getBuildInfo: async () => undefined,
  }
}

/** Whether code on the chain is that of the contract, whatever its constructor was given. */
export function isCodeOf(compiled: CompiledCode, code: string): boolean {
  const expected = compiled.deployedBytecode
  if (code.length !== expected.length) return false
  const immutables = Object.values(compiled.immutableReferences ?? {}).flat()
  const blank = (hex: string) =>
    immutables.reduce((text, { start, length }) => {
      const from = 2 + 2 * start
      return text.slice(0, from) + '0'.repeat(2 * length) + text.slice(from + 2 * length)
    }, hex.toLowerCase())
  return blank(code) === blank(expected)
}
