/** What a fault in one file reaches: the files that compile it in, and the tests that come first. */
import { MainframeError } from '@mainframe/protocol'
import type { SourceUnit } from 'solidity-ast'
import { findAll } from 'solidity-ast/utils.js'
import { type Code, compile, parse, SETTINGS, type Settings } from './compiler.ts'
import { readContracts, readMocks, type Sources } from './sources.ts'

/** The most bytes that a deployed contract may have (EIP-170). */
const MAX_CODE_BYTES = 24_576

export interface Project {
  /** Contracts and mocks. */
  sources: Sources
  settings: Settings
  /** Everything, without a fault. */
  control: Code[]
  /** The files that have to be compiled anew when this one changes. */
  dependants(file: string): string[]
}

/** Reads and compiles what is tested. Throws `VALIDATION_FAILED` with what solc says against it. */
export function readProject(): Project {
  const sources = new Map([...readContracts(), ...readMocks()])
  const imports = new Map([...parse(sources)].map(([file, unit]) => [file, importsOf(unit)]))
  const files = [...sources.keys()]
  const { control, settings } = compileAll(sources, files)
  const dependants = (file: string) => files.filter((other) => reaches(imports, other, file))
  return { sources, settings, control, dependants }
}

/** With the first settings under which all of it compiles and can be deployed. */
function compileAll(sources: Sources, files: string[]): { control: Code[]; settings: Settings } {
  const errors: string[] = []
  for (const settings of SETTINGS) {
    const control = compile(sources, files, settings)
    if (typeof control === 'string') errors.push(control)
    else if (control.every(fits)) return { control, settings }
  }
  throw new MainframeError('VALIDATION_FAILED', errors.join('\n') || 'A contract is too large.')
}

function fits({ deployedBytecode }: Code): boolean {
  return deployedBytecode.length / 2 - 1 <= MAX_CODE_BYTES
}

function importsOf(unit: SourceUnit): string[] {
  return [...findAll('ImportDirective', unit)].map(({ absolutePath }) => absolutePath)
}

function reaches(imports: Map<string, string[]>, from: string, to: string): boolean {
  return from === to || (imports.get(from) ?? []).some((next) => reaches(imports, next, to))
}

/** contracts/PaymentChannels.sol is tested by test/contracts/payment-channels. */
export function testNameOf(file: string): string {
  const name = file.split('/').at(-1)?.replace('.sol', '') ?? ''
  return name.replace(/(?<=[a-z])(?=[A-Z])/g, '-').toLowerCase()
}
