/** Readers of untrusted JSON: each gives the value in its documented form or says where it is not. */
import { type Hex, MainframeError } from '@mainframe/protocol'

/** Gives a value or throws `CODEC_INVALID`, which callers turn into the error of who sent it. */
export type Reader<T> = (value: unknown, path: string) => T

function misshapen(path: string, expected: string): MainframeError {
  const what = path || 'the body'
  return new MainframeError('CODEC_INVALID', `${what} is not ${expected}`, { details: { path } })
}

export const text: Reader<string> = (value, path) => {
  if (typeof value === 'string') return value
  throw misshapen(path, 'a text')
}

export const bool: Reader<boolean> = (value, path) => {
  if (typeof value === 'boolean') return value
  throw misshapen(path, 'true or false')
}

/** An integer from 0 to 2^53 - 1. */
export const whole: Reader<number> = (value, path) => {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw misshapen(path, 'a whole number')
}

/** Lower-case 0x-hex, of exactly so many bytes if given. */
export function hex(bytes?: number): Reader<Hex> {
  return (value, path) => {
    const fits = typeof value === 'string' && /^0x(?:[0-9a-fA-F]{2})*$/.test(value)
    if (fits && (bytes === undefined || value.length === 2 + 2 * bytes)) {
      return value.toLowerCase() as Hex
    }
    throw misshapen(path, `${bytes ?? 'whole'} bytes of 0x-hex`)
  }
}

/** A decimal string of base units. */
export const money: Reader<string> = (value, path) => {
  if (typeof value === 'string' && /^\d{1,78}$/.test(value)) return value
  throw misshapen(path, 'an amount of base units')
}

export function orNull<T>(reader: Reader<T>): Reader<T | null> {
  return (value, path) => (value === null ? null : reader(value, path))
}

/** A field that may be missing. */
export function optional<T>(reader: Reader<T>): Reader<T | undefined> {
  return (value, path) => (value === undefined ? undefined : reader(value, path))
}

export function list<T>(reader: Reader<T>, maxLength: number): Reader<T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length > maxLength) {
      throw misshapen(path, `a list of at most ${maxLength}`)
    }
    return value.map((item, i) => reader(item, `${path}[${i}]`))
  }
}

/** An object with at least these fields; others are left out. */
export function object<T>(fields: { [Key in keyof T]: Reader<T[Key]> }): Reader<T> {
  const readers = Object.entries(fields) as [string, Reader<unknown>][]
  return (value, path) => {
    if (typeof value !== 'object' || value === null) throw misshapen(path, 'an object')
    const from = value as Record<string, unknown>
    const read = readers.map(([key, reader]) => {
      const own = Object.hasOwn(from, key) ? from[key] : undefined
      return [key, reader(own, path ? `${path}.${key}` : key)] as const
    })
    return Object.fromEntries(read) as T
  }
}

/** A reader that gives `undefined` where the value has another form. */
export function maybe<T>(reader: Reader<T>): (value: unknown) => T | undefined {
  return (value) => {
    try {
      return reader(value, '')
    } catch {
      return undefined
    }
  }
}
