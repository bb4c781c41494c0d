/** What is done: statements, events, calls, and what a caller must not lose when one fails. */
import type { ExpressionStatement } from 'solidity-ast'
import { findAll } from 'solidity-ast/utils.js'
import { requirementOf } from './guards.ts'
import { drop, lineOf, type Operator, rangeOf, replace } from './scope.ts'

/** Every assignment, call and `delete`; a loop's own step is no effect. */
const statements: Operator = (scope) => {
  const steps = new Set<ExpressionStatement | null | undefined>()
  for (const { loopExpression } of findAll('ForStatement', scope.node)) steps.add(loopExpression)
  return [...findAll('ExpressionStatement', scope.node)]
    .filter((statement) => !steps.has(statement) && requirementOf(statement) === undefined)
    .map((statement) => drop(scope, statement, lineOf(scope, statement)))
}

const events: Operator = (scope) =>
  [...findAll('EmitStatement', scope.node)].map((statement) =>
    drop(scope, statement, `emit ${lineOf(scope, statement.eventCall.expression)}`),
  )

/** An attempt that is not made, and one whose failure is not forgiven. */
const attempts: Operator = (scope) => [
  ...[...findAll('TryStatement', scope.node)].map((attempt) =>
    drop(scope, attempt, `try ${lineOf(scope, attempt.externalCall)}`),
  ),
  ...[...findAll('TryCatchClause', scope.node)]
    .filter(({ block, errorName }) => errorName === '' && block.statements?.length === 0)
    .filter((clause) => scope.source.toString('utf8', rangeOf(clause).start).startsWith('catch'))
    .map((clause) =>
      replace(scope, clause.block, '{ revert(); }', 'catch {} -> catch { revert(); }'),
    ),
]

const assembly: Operator = (scope) =>
  [...findAll(['YulExpressionStatement', 'YulAssignment'], scope.node)].map((statement) =>
    drop(scope, statement, lineOf(scope, statement)),
  )

export const effects: Operator[] = [statements, events, attempts, assembly]
