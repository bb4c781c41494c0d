import { MainframeError } from '@mainframe/protocol'
import type { ContractDefinition, SourceUnit } from 'solidity-ast'
import { findAll } from 'solidity-ast/utils.js'
import { parse } from './compiler.ts'
import { effects } from './effects.ts'
import { EQUIVALENT } from './equivalent.ts'
import { guards } from './guards.ts'
import { HANDMADE, type Handmade } from './handmade.ts'
import type { Edit, Scope } from './scope.ts'
import type { Sources } from './sources.ts'
import { values } from './values.ts'

/** The contracts with one fault. */
export interface Mutant {
  /** Contract, function and what was changed; unique. */
  id: string
  file: string
  /** From 1. */
  line: number
  /** The whole text of the file with the fault. */
  text: string
  /** Whether it is an effect, a field or a number that is faulty, and no guard. */
  deep: boolean
}

const OPERATORS = [
  ...guards.map((operator) => ({ operator, deep: false })),
  ...[...effects, ...values].map((operator) => ({ operator, deep: true })),
]

export interface GenerateOptions {
  /** Not guards alone, but effects, fields and numbers too. */
  deep?: boolean
  handmade?: readonly Handmade[]
  equivalent?: Readonly<Record<string, string>>
}

/**
 * Every mutant of the contracts: what the operators find in the syntax trees, then the hand-made ones.
 * Throws `VALIDATION_FAILED` when the contracts do not compile, or when a hand-made mutant or the reason
 * of an equivalent one fits them no more.
 */
export function generate(sources: Sources, options: GenerateOptions = {}): Mutant[] {
  const { deep = false, handmade = HANDMADE, equivalent = EQUIVALENT } = options
  const units = parse(sources)
  const internals = new Set([...units.values()].flatMap(internalsOf))
  const found = [...sources].flatMap(([file, text]) => {
    const unit = units.get(file)
    const source = Buffer.from(text)
    return unit === undefined ? [] : mutantsOf({ file, unit, source, internals })
  })
  const mutants = unique([...found, ...handmade.map((mutant) => byHand(sources, mutant))])
  for (const id of Object.keys(equivalent)) {
    if (mutants.some((mutant) => mutant.id === id)) continue
    throw new MainframeError(
      'VALIDATION_FAILED',
      `There is no mutant "${id}" any more: take it out of scripts/mutants/equivalent.ts.`,
    )
  }
  return deep ? mutants : mutants.filter((mutant) => !mutant.deep)
}

interface Place {
  file: string
  unit: SourceUnit
  source: Buffer
  internals: ReadonlySet<number>
}

function mutantsOf({ file, unit, source, internals }: Place): Mutant[] {
  const parts = [...findAll('ContractDefinition', unit)].flatMap((contract) =>
    partsOf(contract).map(({ name, node }) => ({ name: `${contract.name}.${name}`, node })),
  )
  return parts.flatMap(({ name, node }) =>
    OPERATORS.flatMap(({ operator, deep }) =>
      operator({ node, source, internals }).map((edit) => ({
        id: `${name}: ${edit.change}`,
        file,
        line: lineAt(source, edit.start),
        text: applied(source, edit),
        deep,
      })),
    ),
  )
}

/** The functions that have a body, and the constants. */
function partsOf(contract: ContractDefinition): { name: string; node: Scope['node'] }[] {
  const constants = [...findAll('VariableDeclaration', contract)].filter((node) => node.constant)
  const functions = [...findAll('FunctionDefinition', contract)].filter((node) => node.implemented)
  return [
    ...constants.map((node) => ({ name: node.name, node })),
    ...functions.map((node) => ({ name: node.name === '' ? node.kind : node.name, node })),
  ]
}

function internalsOf(unit: SourceUnit): number[] {
  return [...findAll('FunctionDefinition', unit)]
    .filter(({ visibility }) => visibility === 'internal' || visibility === 'private')
    .map(({ id }) => id)
}

function byHand(sources: Sources, { name, file, old, new: changed }: Handmade): Mutant {
  const text = sources.get(file) ?? ''
  const lines = old.map((line) => line.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const matches = [...text.matchAll(new RegExp(lines.join('\\s+'), 'g'))]
  const [match] = matches
  if (match === undefined || matches.length > 1) {
    throw new MainframeError(
      'VALIDATION_FAILED',
      `The hand-made mutant "${name}" finds its lines ${matches.length} times in ${file}, not once: ` +
        'bring scripts/mutants/handmade.ts up to the contracts.',
    )
  }
  const start = Buffer.byteLength(text.slice(0, match.index))
  const edit = { start, end: start + Buffer.byteLength(match[0]), text: changed.join('\n') }
  const source = Buffer.from(text)
  return { id: name, file, line: lineAt(source, start), text: applied(source, edit), deep: false }
}

function applied(source: Buffer, { start, end, text }: Omit<Edit, 'change'>): string {
  return `${source.toString('utf8', 0, start)}${text}${source.toString('utf8', end)}`
}

function lineAt(source: Buffer, offset: number): number {
  return source.toString('utf8', 0, offset).split('\n').length
}

/** The second of two that read alike is called `(2)`. */
function unique(mutants: Mutant[]): Mutant[] {
  const seen = new Map<string, number>()
  return mutants.map((mutant) => {
    const count = (seen.get(mutant.id) ?? 0) + 1
    seen.set(mutant.id, count)
    return count === 1 ? mutant : { ...mutant, id: `${mutant.id} (${count})` }
  })
}
