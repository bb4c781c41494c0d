/** Files between contacts: `receive <folder>` saves what others send, `send <code> <file>` sends one. */
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  type Conversation,
  fileStore,
  Mainframe,
  type MessageView,
  type Messenger,
} from '@mainframe/sdk'

const USAGE = `Usage: node examples/files.ts receive <folder>
       node examples/files.ts send <contact code> <file>

MAINFRAME_NETWORK names the network, MAINFRAME_ACCOUNT the account, FILES_FOLDER where keys are kept.`
/** Messages of applications have kinds from 256 on. */
const FILE_PART = 256
/** A message has at most 1 MiB; whatever is lost of a smaller one is repeated sooner. */
const PART_BYTES = 262_144
const MOST_PARTS = 256
/** Longest line before the bytes of a part. */
const MOST_HEAD_BYTES = 4096
/** Parts in memory, of all files that are not whole yet: two of the largest. */
const MOST_BYTES = 2 * MOST_PARTS * (PART_BYTES + MOST_HEAD_BYTES)
/** Messages of a history that are read at a time. */
const PAGE = 16

/** Parts by their place, of each file that is not whole yet. */
type Incoming = Map<string, Map<number, Uint8Array>>

/** What one message says: which file it is of, and which part. */
interface Part {
  id: string
  name: string
  sha256: string
  index: number
  count: number
}

const [command, first, second] = process.argv.slice(2)
const { MAINFRAME_NETWORK = 'local', MAINFRAME_ACCOUNT = '', FILES_FOLDER } = process.env
if (!first || (command !== 'receive' && !(command === 'send' && second))) {
  console.error(USAGE)
  process.exit(2)
}
try {
  const client = await Mainframe.open({
    network: MAINFRAME_NETWORK,
    account: MAINFRAME_ACCOUNT,
    store: fileStore(FILES_FOLDER ?? `data/files-${command}`),
  })
  process.once('SIGINT', () => void client.close())
  const messenger = await client.messenger()
  if (command === 'receive') await receiveInto(messenger, first)
  else await sendTo(messenger, first, second ?? '')
  await client.close()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}

/** Until the client is closed. */
async function receiveInto(messenger: Messenger, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const incoming: Incoming = new Map()
  const events = messenger.events()
  console.log(messenger.code)
  for (const conversation of messenger.conversations()) {
    for await (const message of newestOf(conversation)) {
      const file = fileOf(incoming, conversation, message)
      // what was whole before is saved already
      if (file) await save(folder, file).catch(() => {})
    }
  }
  for await (const event of events) {
    if (event.type === 'contact' && event.contact.state === 'asked') {
      await messenger.contacts.accept(event.contact.code)
    }
    if (event.type !== 'message' || event.isAgain) continue
    const file = fileOf(incoming, event.conversation, event.message)
    if (file) await save(folder, file).catch((error: unknown) => console.error(String(error)))
  }
}

/** The parts that may belong to a file which is under way, a few in memory at a time. */
async function* newestOf(conversation: Conversation): AsyncGenerator<MessageView> {
  let before: string | undefined
  for (let read = 0; read < 2 * MOST_PARTS; read += PAGE) {
    const page = await conversation.history({ limit: PAGE, ...(before && { before }) })
    yield* page
    before = page[0]?.id
    if (page.length === 0) return
  }
}

async function save(folder: string, { name, bytes }: { name: string; bytes: Buffer }) {
  // a name is what somebody else wrote: never a path
  const path = join(folder, basename(name))
  await writeFile(path, bytes, { flag: 'wx' })
  console.log(`${path}: ${bytes.length} bytes`)
}

/** A file, once all of its parts are there and are what the sender had. */
function fileOf(
  incoming: Incoming,
  conversation: Conversation,
  { isOwn, kind, body }: MessageView,
): { name: string; bytes: Buffer } | undefined {
  const decoded = isOwn || kind !== FILE_PART ? undefined : decodePart(body)
  if (!decoded) return undefined
  const { id, index, count, name, sha256 } = decoded.part
  const key = `${conversation.id} ${id}`
  const parts = incoming.get(key) ?? new Map<number, Uint8Array>()
  incoming.set(key, parts.set(index, decoded.bytes))
  if (parts.size < count) {
    makeRoom(incoming)
    return undefined
  }
  incoming.delete(key)
  const bytes = Buffer.concat([...parts].sort(([a], [b]) => a - b).map(([, part]) => part))
  return sha256Of(bytes) === sha256 ? { name, bytes } : undefined
}

/** Drops the file that waits longest, when there is too much in memory. */
function makeRoom(incoming: Incoming): void {
  const parts = [...incoming.values()].flatMap((file) => [...file.values()])
  const length = parts.reduce((sum, part) => sum + part.length + MOST_HEAD_BYTES, 0)
  const [oldest] = incoming.keys()
  if (length > MOST_BYTES && oldest) incoming.delete(oldest)
}

/** Asks the other one first, where that is needed; resolves when everything has arrived. */
async function sendTo(messenger: Messenger, code: string, path: string): Promise<void> {
  const bytes = await readFile(path)
  const count = Math.max(1, Math.ceil(bytes.length / PART_BYTES))
  if (count > MOST_PARTS)
    throw new Error(`${path} is larger than ${(MOST_PARTS * PART_BYTES) / 2 ** 20} MiB`)
  const events = messenger.events()
  const conversation = await conversationWith(messenger, code)
  const file = {
    id: randomBytes(16).toString('hex'),
    name: basename(path),
    sha256: sha256Of(bytes),
  }
  const waiting = new Set<string>()
  for (let index = 0; index < count; index++) {
    const piece = bytes.subarray(index * PART_BYTES, (index + 1) * PART_BYTES)
    const { id } = await conversation.send(encodePart({ ...file, index, count }, piece), FILE_PART)
    waiting.add(id)
  }
  for await (const event of events) {
    if (event.type === 'delivery' && event.delivery.state === 'delivered') waiting.delete(event.id)
    if (waiting.size === 0) break
  }
  console.log(`${file.name} has arrived`)
}

async function conversationWith(messenger: Messenger, code: string): Promise<Conversation> {
  const known = messenger.conversationWith(code)
  if (known) return known
  const events = messenger.events()
  await messenger.contacts.request(code, { introduction: 'I have a file for you' })
  for await (const event of events) {
    const conversation = event.type === 'contact' && messenger.conversationWith(code)
    if (conversation) return conversation
  }
  throw new Error('The client was closed before the other one accepted')
}

/** A line of JSON, then the bytes. */
function encodePart(part: Part, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(part)}\n`), bytes])
}

/** `undefined` for what is none: whoever is at the other end may send anything. */
function decodePart(body: Uint8Array): { part: Part; bytes: Uint8Array } | undefined {
  const end = body.indexOf(0x0a)
  try {
    const part: Part = JSON.parse(Buffer.from(body.subarray(0, end)).toString())
    const isSound =
      [part.id, part.name, part.sha256].every((text) => typeof text === 'string') &&
      [part.index, part.count].every(Number.isSafeInteger) &&
      part.index >= 0 &&
      part.index < part.count &&
      part.count <= MOST_PARTS &&
      end <= MOST_HEAD_BYTES &&
      body.length <= end + 1 + PART_BYTES
    return isSound ? { part, bytes: body.subarray(end + 1) } : undefined
  } catch {
    return undefined
  }
}

function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
