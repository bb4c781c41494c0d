/** The compiler of npm's `solc`, in this process: the syntax trees of sources, and their code. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { MainframeError } from '@mainframe/protocol'
import solc from 'solc'
import type { SourceUnit } from 'solidity-ast'
import { ROOT, type Sources } from './sources.ts'

/** What an artifact of Hardhat says about the code of one contract. */
export interface Code {
  /** Path of its source from the root of the repository. */
  file: string
  contract: string
  /** Hex with `0x`. */
  bytecode: string
  deployedBytecode: string
  immutableReferences: object
}

interface Bytecode {
  object: string
  immutableReferences?: object
}

interface Output {
  errors?: { severity: string; formattedMessage: string }[]
  sources?: Record<string, { ast: SourceUnit }>
  contracts?: Record<
    string,
    Record<string, { evm: { bytecode: Bytecode; deployedBytecode: Bytecode } }>
  >
}

const evmVersion = 'cancun'

/**
 * Other settings than those of hardhat.config.ts, on purpose: another code and other gas figures, the same
 * behaviour. A test that fails under them without any fault is a snapshot. The fastest come first; the
 * later ones are for sources that do not compile, or do not fit into a contract, without them.
 */
export const SETTINGS = [
  { evmVersion, optimizer: { enabled: false }, viaIR: false },
  { evmVersion, optimizer: { enabled: true, runs: 1 }, viaIR: false },
  { evmVersion, optimizer: { enabled: true, runs: 1 }, viaIR: true },
]

export type Settings = (typeof SETTINGS)[number]

/** Syntax trees, with types and references, by path. Throws `VALIDATION_FAILED` with what solc says. */
export function parse(sources: Sources): Map<string, SourceUnit> {
  const output = run(sources, [...sources.keys()], { outputSelection: { '*': { '': ['ast'] } } })
  const error = firstError(output)
  if (error !== undefined) throw new MainframeError('VALIDATION_FAILED', error)
  const trees = Object.entries(output.sources ?? {})
  return new Map(trees.map(([path, { ast }]) => [path, ast]))
}

/** The code of every contract of `files` that has any; or what solc says against it. */
export function compile(sources: Sources, files: string[], settings: Settings): Code[] | string {
  const wanted = ['evm.bytecode.object', 'evm.deployedBytecode']
  const outputSelection = Object.fromEntries(files.map((file) => [file, { '*': wanted }]))
  const output = run(sources, files, { ...settings, outputSelection })
  const error = firstError(output)
  if (error !== undefined) return error
  return Object.entries(output.contracts ?? {}).flatMap(([file, contracts]) =>
    Object.entries(contracts)
      .filter(([, { evm }]) => evm.bytecode.object !== '')
      .map(([contract, { evm }]) => ({
        file,
        contract,
        bytecode: `0x${evm.bytecode.object}`,
        deployedBytecode: `0x${evm.deployedBytecode.object}`,
        immutableReferences: evm.deployedBytecode.immutableReferences ?? {},
      })),
  )
}

function firstError(output: Output): string | undefined {
  return output.errors?.find(({ severity }) => severity === 'error')?.formattedMessage.trim()
}

function run(sources: Sources, files: string[], settings: object): Output {
  const input = {
    language: 'Solidity',
    sources: Object.fromEntries(files.map((file) => [file, { content: sources.get(file) }])),
    settings,
  }
  const find = (path: string) => ({ contents: sources.get(path) ?? library(path) })
  return JSON.parse(solc.compile(JSON.stringify(input), { import: find })) as Output
}

const libraries = new Map<string, string>()

function library(path: string): string {
  const text = libraries.get(path) ?? readFileSync(join(ROOT, 'node_modules', path), 'utf8')
  libraries.set(path, text)
  return text
}
