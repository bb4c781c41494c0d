/**
 * Decoding for whoever reads many logs: values are taken from the text of a log as they stand. A general
 * decoder turns them into bytes and back, which was most of what a back-fill did in this process.
 */
import {
  createLogDecoder,
  type Hex,
  MainframeError,
  type ParsedLog,
  paymentChannelsAbi,
  priceBoardAbi,
  serviceRegistryAbi,
} from '@mainframe/protocol'
import { Interface, type ParamType } from 'ethers'

const WORD_DIGITS = 64
const ADDRESS_PADDING = '0'.repeat(24)

/**
 * Reads a value from the digits of the data. `at` is where its word begins; what has no fixed size
 * begins as far from `frame` as that word says.
 */
type Read = (digits: string, at: number, frame: number) => unknown

interface Field {
  name: string
  read: Read
}

interface EventForm {
  name: string
  /** Of the topics after the first; all of one word. */
  indexed: readonly Field[]
  rest: readonly Field[]
}

type Forms = ReadonlyMap<string, EventForm>

function formsOf(abi: readonly { type: string }[]): Forms {
  const forms = new Map<string, EventForm>()
  new Interface(abi).forEachEvent(({ name, topicHash, inputs }) => {
    forms.set(topicHash, {
      name,
      indexed: inputs.filter(({ indexed }) => indexed).map(fieldOf),
      rest: inputs.filter(({ indexed }) => !indexed).map(fieldOf),
    })
  })
  return forms
}

function fieldOf(parameter: ParamType): Field {
  return { name: parameter.name, read: readerOf(parameter) }
}

/** The types that the contracts have. A tuple is one that holds something without a fixed size. */
function readerOf({ type, components }: ParamType): Read {
  if (type === 'bytes32') return (digits, at) => `0x${wordAt(digits, at)}`
  if (type === 'address') return readAddress
  if (type === 'bytes') return readBytes
  if (components !== null) {
    const fields = components.map(fieldOf)
    return (digits, at, frame) => readFields(fields, digits, placeAt(digits, at, frame))
  }
  const bits = Number(/^uint(\d+)$/.exec(type)?.[1])
  if (!bits) throw new MainframeError('INTERNAL', `No event has held a ${type} yet`)
  // like ethers, without what comes before the digits of the type
  const hexAt = (digits: string, at: number) => `0x${wordAt(digits, at).slice(-bits / 4)}`
  return bits <= 48
    ? (digits, at) => Number(hexAt(digits, at))
    : (digits, at) => BigInt(hexAt(digits, at))
}

function wordAt(digits: string, at: number): string {
  return cut(digits, at, WORD_DIGITS)
}

function cut(digits: string, at: number, length: number): string {
  if (at + length > digits.length)
    throw new MainframeError('CODEC_INVALID', 'The data ends earlier')
  return digits.slice(at, at + length)
}

function placeAt(digits: string, at: number, frame: number): number {
  return frame + 2 * Number(`0x${wordAt(digits, at)}`)
}

function readAddress(digits: string, at: number): Hex {
  const word = wordAt(digits, at)
  if (!word.startsWith(ADDRESS_PADDING))
    throw new MainframeError('CODEC_INVALID', 'An address has 20 bytes')
  return `0x${word.slice(ADDRESS_PADDING.length)}`
}

function readBytes(digits: string, at: number, frame: number): Hex {
  const place = placeAt(digits, at, frame)
  const length = 2 * Number(`0x${wordAt(digits, place)}`)
  return `0x${cut(digits, place + WORD_DIGITS, length)}`
}

function readFields(
  fields: readonly Field[],
  digits: string,
  frame: number,
): Record<string, unknown> {
  const values: Record<string, unknown> = {}
  let at = frame
  for (const { name, read } of fields) {
    values[name] = read(digits, at, frame)
    at += WORD_DIGITS
  }
  return values
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
  const form = FORMS[contract].get(topics[0]?.toLowerCase() ?? '')
  if (!form || topics.length !== form.indexed.length + 1) return undefined
  try {
    const args = readFields(form.rest, data.slice(2), 0)
    for (const [i, { name, read }] of form.indexed.entries()) {
      args[name] = read((topics[i + 1] ?? '').slice(2), 0, 0)
    }
    return { name: form.name, args }
  } catch {
    return undefined // an RPC may answer anything; what does not decode is not our event
  }
})
