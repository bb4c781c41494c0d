/**
 * Decoding for whoever reads many logs: values of one word, of which most events are made, are taken from
 * the text as they stand; records and signatures are left to viem. The only file that knows viem.
 */
import {
  createLogDecoder,
  type Hex,
  type ParsedLog,
  paymentChannelsAbi,
  priceBoardAbi,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import type { AbiEvent, AbiParameter } from 'viem'
import { decodeAbiParameters, toEventSelector } from 'viem/utils'

const ADDRESS_WORD = 'bytes32'
const WORD_DIGITS = 64
const ADDRESS_PADDING = '0'.repeat(24)

/** Reads a value from the digits of its word. */
type ReadWord = (digits: string) => unknown

interface Word {
  name: string
  read: ReadWord
}

interface EventForm {
  name: string
  /** Of the topics after the first; all of one word. */
  indexed: readonly Word[]
  /** What the data holds, where all of it is of one word each. */
  words: readonly Word[] | undefined
  /** The same for viem. */
  rest: readonly AbiParameter[]
}

type Forms = ReadonlyMap<Hex, EventForm>

function formsOf(abi: readonly { type: string }[]): Forms {
  const events = abi.filter((item): item is AbiEvent => item.type === 'event')
  return new Map(
    events.map((event) => {
      const rest = event.inputs.filter(({ indexed }) => !indexed)
      const indexed = wordsOf(event.inputs.filter(({ indexed }) => indexed))
      if (!indexed) throw new TypeError(`A topic of ${event.name} is not a word`)
      const form = { name: event.name, indexed, words: wordsOf(rest), rest: rest.map(asWord) }
      return [toEventSelector(event), form]
    }),
  )
}

function wordsOf(parameters: readonly AbiParameter[]): Word[] | undefined {
  const words: Word[] = []
  for (const { name = '', type } of parameters) {
    const read = readerOf(type)
    if (!read) return undefined
    words.push({ name, read })
  }
  return words
}

/** Like ethers it refuses an address that does not fit, and takes the last digits of other numbers. */
function readerOf(type: string): ReadWord | undefined {
  if (type === 'bytes32') return (digits) => `0x${digits}`
  if (type === 'address') return readAddress
  const bits = Number(/^uint(\d+)$/.exec(type)?.[1])
  if (!bits) return undefined
  const hex = (digits: string) => `0x${digits.slice(-bits / 4)}`
  return bits <= 48 ? (digits) => Number(hex(digits)) : (digits) => BigInt(hex(digits))
}

/** Addresses as words: viem would give each its checksum, a hash that nobody here asks for. */
function asWord(parameter: AbiParameter): AbiParameter {
  if (parameter.type === 'address')
    return { ...parameter, type: ADDRESS_WORD, internalType: 'address' }
  if (!('components' in parameter)) return parameter
  return { ...parameter, components: parameter.components.map(asWord) }
}

const FORMS = {
  registry: formsOf(serviceRegistryAbi),
  board: formsOf(priceBoardAbi),
  channels: formsOf(paymentChannelsAbi),
} as const

/** What the first topic of a registration is. */
export const REGISTERED = [...FORMS.registry].find(
  ([, { name }]) => name === 'Registered',
)?.[0] as Hex

/** The same events as the protocol's `decodeLog`, faster. */
export const decodeLog = createLogDecoder((contract, { topics, data }): ParsedLog | undefined => {
  const selector = topics[0]?.toLowerCase() as Hex | undefined
  const form = selector && FORMS[contract].get(selector)
  if (!form || topics.length !== form.indexed.length + 1) return undefined
  try {
    const args: Record<string, unknown> = {}
    for (const [i, { name, read }] of form.indexed.entries()) {
      args[name] = read((topics[i + 1] ?? '').slice(2))
    }
    if (form.words) readWords(args, form.words, data)
    else readRest(args, form.rest, data)
    return { name: form.name, args }
  } catch {
    return undefined // an RPC may answer anything; what does not decode is not our event
  }
})

function readAddress(digits: string): Hex {
  if (!digits.startsWith(ADDRESS_PADDING)) throw new RangeError('An address has 20 bytes')
  return `0x${digits.slice(ADDRESS_PADDING.length)}`
}

function readWords(args: Record<string, unknown>, words: readonly Word[], data: Hex): void {
  if (data.length < 2 + WORD_DIGITS * words.length) throw new RangeError('The data is cut')
  for (const [i, { name, read }] of words.entries()) {
    const at = 2 + WORD_DIGITS * i
    args[name] = read(data.slice(at, at + WORD_DIGITS))
  }
}

function readRest(
  args: Record<string, unknown>,
  parameters: readonly AbiParameter[],
  data: Hex,
): void {
  const values = decodeAbiParameters(parameters, data)
  for (const [i, parameter] of parameters.entries()) {
    args[parameter.name ?? ''] = fromWord(parameter, values[i])
  }
}

/** Undoes {@link asWord} in a decoded value. */
function fromWord(parameter: AbiParameter, value: unknown): unknown {
  if (parameter.internalType === 'address') return `0x${(value as Hex).slice(26)}`
  if (!('components' in parameter)) return value
  const fields = value as Record<string, unknown>
  return Object.fromEntries(
    parameter.components.map((field) => [field.name, fromWord(field, fields[field.name ?? ''])]),
  )
}
