import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, describe, it } from 'node:test'
import * as limits from '../../../sdk/src/conversations/limits.ts'
import { COMMIT_REFUSALS } from '../../../sdk/src/conversations/rules.ts'
import { MAX_WIRE_BYTES, SIZE_UNIT } from '../../../sdk/src/conversations/wire.ts'
import { SUITES } from '../../../sdk/src/mls/ciphersuite.ts'
import { GROUP_EXTENSION, WELCOME_EXTENSION } from '../../../sdk/src/mls/suites.ts'
import { MAX_MEMBERS } from '../../../sdk/src/mls/trees.ts'

describe('docs/conversations.md', () => {
  let text = ''
  before(async () => {
    text = await readFile(new URL('../../../docs/conversations.md', import.meta.url), 'utf8')
  })

  it('lists every wait as the source has it', () => {
    const { local, standard } = limits.CONVERSATION_TIMES
    for (const [name, value] of Object.entries(local)) {
      const other = standard[name as keyof typeof standard]
      assert.ok(text.includes(`| \`${name}\` | ${value} | ${other} |`), name)
    }
  })

  it('names every reason for which a commit is refused', () => {
    for (const why of COMMIT_REFUSALS) assert.ok(text.includes(`\`${why}\``), why)
  })

  it('says the limits that the source has', () => {
    const phrases = [
      SUITES.xwing,
      `extension 0x${GROUP_EXTENSION.toString(16)}`,
      `extension 0x${WELCOME_EXTENSION.toString(16)}`,
      `times ${SIZE_UNIT} bytes, at most ${MAX_WIRE_BYTES}`,
      `body, at most ${limits.MAX_BODY_BYTES} bytes`,
      `more than ${MAX_MEMBERS} members`,
      `heads (at most ${limits.MAX_HEADS})`,
      `lacking (at most ${limits.MAX_LACKING})`,
      `at most ${limits.MAX_PARENTS} |`,
      `at most ${limits.MAX_GIVEN_BYTES} bytes unless`,
      `body of at most ${limits.MAX_WHISPER_BYTES} bytes`,
      `After ${limits.MAX_ASK_ROUNDS} rounds`,
      `up to ${limits.KEPT_EPOCHS} before it and of up to ${limits.MAX_RIVALS} rivals`,
      `The last ${limits.KEPT_COMMITS} commits`,
      `(${limits.MAX_PARKED} pieces, ${limits.MAX_PARKED_BYTES / 2 ** 20} MiB)`,
      `at most ${limits.MAX_AHEAD} epochs ahead`,
      `after ${limits.UPDATE_MS / 86_400_000} days, or ${limits.UPDATE_MESSAGES} messages`,
      `(${limits.MAX_GIVEN_TO_ONE} messages a member and ${limits.ASK_WINDOW_MS / 60_000} minutes)`,
      `(${limits.MAX_MISSING_BY_ONE} missing by one member's word)`,
      `more than ${limits.MAX_ADDED} new members`,
    ]
    for (const phrase of phrases) assert.ok(text.includes(phrase), phrase)
  })
})
