/**
 * Mutants that no test can tell from the contracts, by id, each with the reason. They are run all the same: one
 * that a test kills does not belong here.
 */
export const EQUIVALENT: Record<string, string> = {}
