/** Tests that take long and seldom find what others do not. */

const isWanted = process.env['LONG_TESTS'] === '1'

/** Options of a test or suite that runs only when it is asked for; it counts as skipped else. */
export const whenLong = { skip: isWanted ? false : 'takes long; LONG_TESTS=1 runs it' } as const
