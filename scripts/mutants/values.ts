/** What is computed, hashed and handed on. */
import type { Expression, FunctionCall } from 'solidity-ast'
import { findAll } from 'solidity-ast/utils.js'
import { lineOf, type Operator, replace, type Scope, textOf } from './scope.ts'

const OPPOSITE: Record<string, string> = {
  '+': '-',
  '-': '+',
  '<<': '>>',
  '>>': '<<',
  '|': '&',
  '&': '|',
}

const arithmetic: Operator = (scope) =>
  [...findAll('BinaryOperation', scope.node)].flatMap((operation) => {
    const { operator, leftExpression, rightExpression } = operation
    const opposite = OPPOSITE[operator]
    if (opposite === undefined) return []
    const right = textOf(scope, rightExpression)
    const text = `((${textOf(scope, leftExpression)}) ${opposite} (${right}))`
    const shown = (sign: string) =>
      `${short(lineOf(scope, leftExpression))} ${sign} ${lineOf(scope, rightExpression)}`
    return [replace(scope, operation, text, `${shown(operator)} -> ${shown(opposite)}`)]
  })

const sums: Operator = (scope) =>
  [...findAll('Assignment', scope.node)].flatMap((sum) => {
    const opposite = { '+=': '-=', '-=': '+=' }[sum.operator as string]
    if (opposite === undefined) return []
    const text = `${textOf(scope, sum.leftHandSide)} ${opposite} ${textOf(scope, sum.rightHandSide)}`
    return [replace(scope, sum, text)]
  })

/** The left side of a chain of operations is long. */
function short(text: string): string {
  return text.length > 40 ? '..' : text
}

/** A field missing from what is hashed or signed. */
const encoded: Operator = (scope) =>
  [...findAll('FunctionCall', scope.node)].filter(isEncoding).flatMap((call) =>
    call.arguments.map((left) => {
      const others = call.arguments.filter((argument) => argument !== left)
      const text = others.map((argument) => textOf(scope, argument)).join(', ')
      const callee = textOf(scope, call.expression)
      return replace(
        scope,
        call,
        `${callee}(${text})`,
        `${callee}(..) without ${lineOf(scope, left)}`,
      )
    }),
  )

function isEncoding({ expression, arguments: given }: FunctionCall): boolean {
  if (expression.nodeType !== 'MemberAccess' || given.length < 2) return false
  const { memberName, expression: owner } = expression
  return (
    owner.nodeType === 'Identifier' && owner.name === 'abi' && /^encode(Packed)?$/.test(memberName)
  )
}

/** A number that a function of this project is called with becomes zero. */
const zeros: Operator = (scope) =>
  [...findAll('FunctionCall', scope.node)]
    .filter(({ kind, expression }) => kind === 'functionCall' && isInternal(scope, expression))
    .flatMap((call) =>
      call.arguments
        .filter(({ typeDescriptions }) => typeDescriptions.typeString?.startsWith('uint'))
        .map((argument) => {
          const change = `${lineOf(scope, call.expression)}(..): ${lineOf(scope, argument)} -> 0`
          return replace(scope, argument, '0', change)
        }),
    )

function isInternal({ internals }: Scope, callee: Expression): boolean {
  const known = callee.nodeType === 'Identifier' || callee.nodeType === 'MemberAccess'
  return known && internals.has(callee.referencedDeclaration ?? -1)
}

/** Numbers of constants become one more, strings get a letter. */
const literals: Operator = (scope) => {
  const constant = scope.node.nodeType === 'VariableDeclaration' ? scope.node.value : undefined
  const number = constant?.nodeType === 'Literal' && constant.kind === 'number' ? [constant] : []
  const strings = [...findAll('Literal', scope.node)].filter(({ kind }) => kind === 'string')
  return [
    ...number.map((literal) => replace(scope, literal, `(${textOf(scope, literal)} + 1)`)),
    ...strings.map((literal) =>
      replace(scope, literal, `${textOf(scope, literal).slice(0, -1)}x"`),
    ),
  ]
}

export const values: Operator[] = [arithmetic, sums, encoded, zeros, literals]
