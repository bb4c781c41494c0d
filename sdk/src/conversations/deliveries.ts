/** Who has what, by what members say. */

import type { History } from './history.ts'
import { MAX_MISSING } from './limits.ts'
import type { Ref } from './message.ts'
import type { Statement } from './payloads.ts'

/** Most messages that one statement is followed through. */
const MAX_STEPS = 4 * MAX_MISSING

/**
 * Which of `targets` a member has by its statement: everything that can be reached from its heads
 * through messages that we know too, without passing what it lacks.
 */
export function reached(
  history: History,
  statement: Statement,
  targets: ReadonlySet<string>,
): Set<string> {
  const found = new Set<string>()
  if (statement.isCut || targets.size === 0) return found
  const lowest = Math.min(...[...targets].map((id) => history.get(id)?.lamport ?? 0))
  const lacking = new Set(statement.lacking.map(({ id }) => id))
  const visited = new Set<string>()
  const open: Ref[] = [...statement.heads]
  for (let ref = open.pop(); ref && visited.size < MAX_STEPS; ref = open.pop()) {
    if (visited.has(ref.id) || lacking.has(ref.id)) continue
    visited.add(ref.id)
    if (targets.has(ref.id)) found.add(ref.id)
    const entry = history.get(ref.id)
    if (entry && entry.lamport >= lowest) open.push(...entry.parents)
  }
  return found
}

/** Whether a member has all that we have, in the versions that we have. */
export function keepsUp(history: History, statement: Statement, heads: readonly Ref[]): boolean {
  if (statement.isCut || statement.lacking.length > 0) return false
  const stated = new Map(statement.heads.map(({ id, lamport }) => [id, lamport]))
  const ids = new Set(heads.map(({ id }) => id))
  const found = reached(history, statement, ids)
  return heads.every(({ id, lamport }) => {
    const version = stated.get(id)
    return found.has(id) && (version === undefined || version >= lamport)
  })
}
