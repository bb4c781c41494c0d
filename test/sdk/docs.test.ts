import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, describe, it } from 'node:test'
import { MAX_MESSAGE_BYTES, PROFILES } from '@mainframe/sdk'
import { MAX_AGE_MS } from '../../sdk/src/directory/check-listing.ts'
import { groupLimits } from '../../sdk/src/messages/group.ts'
import { MOST_KEYS } from '../../sdk/src/messages/keyring.ts'
import {
  acknowledgementMessage,
  fragmentMessage,
  loopMessage,
  MAX_FRAGMENTS,
  publicationMessage,
} from '../../sdk/src/messages/payload.ts'
import { reassemblyDefaults } from '../../sdk/src/messages/reassembly.ts'
import { MOST_AT_REST, MOST_WHEN_BUSY } from '../../sdk/src/messages/unopened.ts'
import { MOST_GROUPS } from '../../sdk/src/network/group-inboxes.ts'

const HOUR_MS = 3_600_000

describe('docs/sdk.md', () => {
  let text = ''
  before(async () => {
    text = await readFile(new URL('../../docs/sdk.md', import.meta.url), 'utf8')
  })

  /** Cells of the rows whose first cell fits. */
  const rows = (first: RegExp): string[][] =>
    text
      .split('\n')
      .filter((line) => line.startsWith('| '))
      .map((line) => line.slice(2, -2).split(' | '))
      .filter(([cell]) => first.test(cell ?? ''))

  it('lists every value of the profiles as the source has it', () => {
    const listed = rows(/^`(?:\w+Ms|tries|hops)`$/).filter((cells) => cells.length === 6)
    const names = listed.map(([name]) => name?.replaceAll('`', ''))
    assert.deepEqual(names, Object.keys(PROFILES.local))
    for (const [name = '', ...values] of listed) {
      const key = name.replaceAll('`', '') as keyof typeof PROFILES.local
      const { local, fast, standard, strong } = PROFILES
      const expected = [local, fast, standard, strong].map((profile) => `${profile[key]}`)
      assert.deepEqual(values.slice(0, 4), expected, key)
    }
  })

  it('lists limits as the source has them', () => {
    const value = (what: string) => rows(new RegExp(`^${what}`))[0]?.[1]
    assert.equal(value('bytes of a message'), `${MAX_MESSAGE_BYTES}`)
    assert.equal(value('fragments of a message'), `${MAX_FRAGMENTS}`)
    assert.equal(value('incomplete or unhandled messages'), `${reassemblyDefaults.messages}`)
    assert.equal(value('bytes of them'), `${reassemblyDefaults.bytes}`)
    assert.equal(value('groups that a client listens to'), `${MOST_GROUPS}`)
    assert.equal(value('keys of a group'), `${MOST_KEYS}`)
    const { messages, bytes } = groupLimits
    assert.equal(value('incomplete or unhandled messages of a group'), `${messages}, ${bytes}`)
    const kept = value('packets of a group that no key opened')
    assert.equal(kept, `${MOST_AT_REST}; ${MOST_WHEN_BUSY} while a message is dealt with`)
    const idle = value('an incomplete message is kept')
    assert.equal(idle, `${reassemblyDefaults.idleMs / HOUR_MS} h`)
    assert.equal(value('age of the directory'), `${MAX_AGE_MS / 60_000} min`)
  })

  it('gives examples of payloads that the code makes', () => {
    const example = (what: string) =>
      rows(new RegExp(`^${what}`))[0]?.[1]?.replaceAll(/[` ]/g, '') ?? ''
    const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
    const messageId = new Uint8Array(16).fill(0x11)
    const replyTo = new Uint8Array(32).fill(0x22)
    const bytes = Uint8Array.from(Buffer.from('hi'))
    const data = fragmentMessage({ messageId, replyTo, bytes, index: 0 })
    assert.equal(example('data, the bytes'), hex(data.payload))
    const acknowledgement = { messageId, count: 9, received: Uint8Array.of(0b1010_0000, 0) }
    const answer = acknowledgementMessage(acknowledgement, new Uint8Array(16))
    assert.equal(example('acknowledgement of fragments'), hex(answer.payload))
    assert.equal(example('loop with token'), hex(loopMessage(messageId).payload))
    const publication = publicationMessage({ messageId, bytes, index: 0 })
    assert.equal(example('publication, the bytes'), hex(publication.payload))
  })

  it('names every call of the client', async () => {
    const source = await readFile(new URL('../../sdk/src/client.ts', import.meta.url), 'utf8')
    const members = [...source.matchAll(/^ {2}(?:get |async )?([a-z]\w+)\(/gm)].map(
      ([, name]) => name,
    )
    assert.ok(members.length > 8)
    for (const name of members.filter((member) => member !== 'constructor')) {
      assert.ok(text.includes(`client.${name}`), `client.${name} is not described`)
    }
  })
})
