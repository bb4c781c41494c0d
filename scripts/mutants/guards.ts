/** What decides whether something is done: requirements, modifiers, conditions, bounds. */
import type { ExpressionStatement, FunctionCall } from 'solidity-ast'
import { findAll } from 'solidity-ast/utils.js'
import { drop, lineOf, type Operator, replace, textOf } from './scope.ts'

/** The same comparison without, or with, the case that both sides are equal. */
const AT_THE_BOUND: Record<string, string> = { '<': '<=', '<=': '<', '>': '>=', '>=': '>' }
const TURNED: Record<string, string> = { lt: 'gt', gt: 'lt', slt: 'sgt', sgt: 'slt' }

/** `require(condition, ...)` if the statement is one. */
export function requirementOf({ expression }: ExpressionStatement): FunctionCall | undefined {
  if (expression.nodeType !== 'FunctionCall') return undefined
  const { expression: callee } = expression
  return callee.nodeType === 'Identifier' && callee.name === 'require' ? expression : undefined
}

const requirements: Operator = (scope) =>
  [...findAll('ExpressionStatement', scope.node)].flatMap((statement) => {
    const condition = requirementOf(statement)?.arguments[0]
    if (condition === undefined) return []
    return [drop(scope, statement, `require(${lineOf(scope, condition)})`)]
  })

/** A modifier; the constructors of base contracts look alike and stay. */
const modifiers: Operator = (scope) =>
  [...findAll('ModifierInvocation', scope.node)]
    .filter(({ kind }) => kind === 'modifierInvocation')
    .map((modifier) => replace(scope, modifier, '', `without ${lineOf(scope, modifier)}`))

/** Each side of `&&` and `||` alone. */
const halves: Operator = (scope) =>
  [...findAll('BinaryOperation', scope.node)]
    .filter(({ operator }) => operator === '&&' || operator === '||')
    .flatMap((whole) => [
      replace(scope, whole, textOf(scope, whole.leftExpression)),
      replace(scope, whole, textOf(scope, whole.rightExpression)),
    ])

const bounds: Operator = (scope) =>
  [...findAll('BinaryOperation', scope.node)].flatMap((comparison) => {
    const operator = AT_THE_BOUND[comparison.operator]
    if (operator === undefined) return []
    const left = textOf(scope, comparison.leftExpression)
    return [
      replace(
        scope,
        comparison,
        `${left} ${operator} ${textOf(scope, comparison.rightExpression)}`,
      ),
    ]
  })

/** A branch that is always taken, or never. Dropping `if (...) return` is the latter. */
const branches: Operator = (scope) =>
  [...findAll('IfStatement', scope.node)].flatMap(({ condition }) => {
    const shown = lineOf(scope, condition)
    return [
      replace(scope, condition, 'true', `if (${shown}) always`),
      replace(scope, condition, 'false', `if (${shown}) never`),
    ]
  })

/** `a ? b : c` is always b, or always c. */
const choices: Operator = (scope) =>
  [...findAll('Conditional', scope.node)].flatMap((choice) => [
    replace(scope, choice, `(${textOf(scope, choice.trueExpression)})`),
    replace(scope, choice, `(${textOf(scope, choice.falseExpression)})`),
  ])

/** The same in assembly: no `if`, a comparison turned round, a condition that is not negated. */
const assembly: Operator = (scope) => [
  ...[...findAll('YulIf', scope.node)].map((branch) =>
    drop(scope, branch, `if ${lineOf(scope, branch.condition)}`),
  ),
  ...[...findAll('YulFunctionCall', scope.node)].flatMap((call) => {
    const operands = call.arguments.map((operand) => textOf(scope, operand)).join(', ')
    const { name } = call.functionName
    if (name === 'iszero') return [replace(scope, call, operands)]
    const turned = TURNED[name]
    return turned === undefined ? [] : [replace(scope, call, `${turned}(${operands})`)]
  }),
]

export const guards: Operator[] = [
  requirements,
  modifiers,
  halves,
  bounds,
  branches,
  choices,
  assembly,
]
