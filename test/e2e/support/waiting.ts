/** Waiting with an end: what did not happen in time fails the test by a sentence. */
import assert from 'node:assert/strict'

/** Long, because other tests run beside; nothing here measures time. */
const TIMEOUT_MS = 120_000
const POLL_MS = 100

/** The promise's value; fails with `did not happen: what`. */
export async function within<T>(what: string, promise: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    const message = `Did not happen in ${TIMEOUT_MS / 1_000} s: ${what}`
    timeout.reject(new assert.AssertionError({ message }))
  }, TIMEOUT_MS)
  try {
    return await Promise.race([promise, timeout.promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Asks again and again until the answer is yes. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS
  while (!(await isSo())) {
    if (Date.now() > deadline) assert.fail(`Did not happen in ${TIMEOUT_MS / 1_000} s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}
