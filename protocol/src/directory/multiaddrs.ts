import { fromHex, type Hex } from '../bytes.ts'

/** Addresses read of one record: more would be a list that somebody else pays to dial. */
const MAX_MULTIADDRS = 16
const PRINTABLE = /^\/[\x21-\x7e]{1,254}$/

/**
 * The multiaddrs of a registry record, which anybody may have filled with anything: lines that do
 * not start with "/", are over 255 characters or hold other than printable ASCII are left out.
 */
export function decodeMultiaddrs(bytes: Hex): string[] {
  const text = new TextDecoder().decode(fromHex(bytes))
  return text
    .split('\n')
    .filter((line) => PRINTABLE.test(line))
    .slice(0, MAX_MULTIADDRS)
}
