/** Letters: what is not exactly right is none, and nothing throws. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { utf8 } from '@mainframe/protocol'
import {
  decodeLetter,
  encodeLetter,
  type Letter,
  requestSubject,
} from '../../../sdk/src/messenger/letter.ts'
import { seededRandom } from '../support/seeded-random.ts'

const CASES = Number(
  process.env['FUZZ_CASES'] ?? (process.env['LONG_TESTS'] === '1' ? 10_000 : 1000),
)
const SEED = Number(process.env['FUZZ_SEED'] ?? 1)
const filled = (length: number, byte: number) => new Uint8Array(length).fill(byte)

const LETTERS: Letter[] = [
  {
    kind: 'request',
    nonce: filled(8, 1),
    challenge: filled(32, 2),
    signature: filled(64, 3),
    introduction: 'Zoë, from the choir',
    keyPackage: utf8('key package'),
  },
  { kind: 'accept', proof: filled(32, 4), welcome: utf8('welcome') },
  { kind: 'talk', conversationId: filled(16, 5), bytes: utf8('talk') },
  { kind: 'aside', conversationId: filled(16, 6), bytes: utf8('aside') },
  { kind: 'welcome', welcome: utf8('welcome') },
]

describe('letters', () => {
  for (const letter of LETTERS) {
    it(`of the kind "${letter.kind}" are read as they were written`, () => {
      assert.deepEqual(decodeLetter(encodeLetter(letter)), letter)
    })

    it(`of the kind "${letter.kind}" are none when their end is missing`, () => {
      const head = { request: 390, accept: 36, talk: 20, aside: 20, welcome: 4 }[letter.kind]
      const bytes = encodeLetter(letter)
      for (let length = 0; length <= head; length++) {
        assert.equal(decodeLetter(bytes.subarray(0, length)), undefined, `${length} bytes`)
      }
      assert.ok(decodeLetter(bytes.subarray(0, head + 1)))
    })
  }

  it('are read, changed at random, as something or nothing, and written the same again', () => {
    const random = seededRandom(SEED)
    for (let i = 0; i < CASES; i++) {
      const bytes = encodeLetter(LETTERS[i % LETTERS.length] as Letter)
      const changes = 1 + Math.floor(random() * 4)
      for (let change = 0; change < changes; change++) {
        bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256)
      }
      const letter = decodeLetter(bytes)
      const what = `FUZZ_SEED=${SEED}, case ${i}`
      if (letter) assert.deepEqual(encodeLetter(letter), bytes, what)
    }
  })

  it('of requests are signed for one recipient, one challenge and one key package', () => {
    const request = { challenge: filled(32, 1), keyPackage: filled(9, 2) }
    const subjects = [
      requestSubject(filled(32, 3), request),
      requestSubject(filled(32, 4), request),
      requestSubject(filled(32, 3), { ...request, challenge: filled(32, 5) }),
      requestSubject(filled(32, 3), { ...request, keyPackage: filled(9, 6) }),
    ]
    assert.equal(new Set(subjects.map(String)).size, 4)
    assert.equal(subjects[0]?.length, utf8('mainframe/request-key/1').length + 32 + 32 + 9)
  })
})
