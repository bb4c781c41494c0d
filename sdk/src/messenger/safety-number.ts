import { digest, utf8, viewOf } from '@mainframe/protocol'

/** The keys that a person is known by. */
export interface PersonKeys {
  inboxKey: Uint8Array
  signatureKey: Uint8Array
}

const GROUPS_PER_PERSON = 6
const BYTES_PER_GROUP = 5

/**
 * Sixty digits in twelve groups, the same on both sides: who compares them over another channel knows
 * that nobody stands between. Thirty digits of each person, about 100 bits of a hash of their keys.
 */
export function safetyNumber(one: PersonKeys, other: PersonKeys): string {
  return [digitsOf(one), digitsOf(other)].sort().join(' ')
}

function digitsOf({ inboxKey, signatureKey }: PersonKeys): string {
  const hash = digest(utf8('mainframe/safety/1'), inboxKey, signatureKey)
  const groups = Array.from({ length: GROUPS_PER_PERSON }, (_, i) => {
    const bytes = hash.subarray(i * BYTES_PER_GROUP, (i + 1) * BYTES_PER_GROUP)
    const number = viewOf(bytes).getUint32(0) * 256 + (bytes[4] ?? 0)
    return String(number % 100_000).padStart(5, '0')
  })
  return groups.join(' ')
}
