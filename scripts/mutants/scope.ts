import type { FunctionDefinition, VariableDeclaration } from 'solidity-ast'

/** One change of a text, and how a reader is told of it. */
export interface Edit {
  /** Bytes of the source in UTF-8. */
  start: number
  end: number
  text: string
  change: string
}

/** A function or a constant in which mutants are looked for. */
export interface Scope {
  node: FunctionDefinition | VariableDeclaration
  /** The whole source file. */
  source: Buffer
  /** Ids of the functions of this project that are called without a message. */
  internals: ReadonlySet<number>
}

/** Finds the mutants of one kind. */
export type Operator = (scope: Scope) => Edit[]

interface Located {
  src: string
}

/** First byte of a node, and the one after its last. */
export function rangeOf({ src }: Located): { start: number; end: number } {
  const [start = 0, length = 0] = src.split(':').map(Number)
  return { start, end: start + length }
}

/** The node as it is written. */
export function textOf({ source }: Scope, node: Located): string {
  const { start, end } = rangeOf(node)
  return source.toString('utf8', start, end)
}

/** The node on one line, for people. */
export function lineOf(scope: Scope, node: Located): string {
  return textOf(scope, node).replace(/\s+/g, ' ').replaceAll('( ', '(').replaceAll(' )', ')')
}

/** Writes `text` in the place of a node; says so as `before -> text` unless told otherwise. */
export function replace(scope: Scope, node: Located, text: string, change?: string): Edit {
  const shown = text.replace(/\s+/g, ' ')
  return { ...rangeOf(node), text, change: change ?? `${lineOf(scope, node)} -> ${shown}` }
}

/** Takes a whole statement away; an empty block may stand wherever a statement may. */
export function drop(scope: Scope, node: Located, change: string): Edit {
  const { start, end } = rangeOf(node)
  const semicolon = /^\s*;/.exec(scope.source.toString('utf8', end))?.[0].length ?? 0
  return { start, end: end + semicolon, text: '{}', change: `without ${change}` }
}
