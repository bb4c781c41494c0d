import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Hex } from '@mainframe/protocol'
import type { OutgoingFacts } from '../../../node/src/accounts/facts.ts'
import { settleOutgoing } from '../../../node/src/accounts/settle.ts'
import { MemoryJournal } from './memory-journal.ts'

const ID: Hex = `0x${'11'.repeat(32)}`
const DAY = 20_000

function paying(changes: Partial<OutgoingFacts>): OutgoingFacts {
  return {
    kind: 'outgoing',
    id: ID,
    peer: `0x${'22'.repeat(20)}`,
    medium: `0x${'aa'.repeat(20)}`,
    epoch: 1,
    isClosed: false,
    earlierBase: 0n,
    claimedBase: 0n,
    restBase: 0n,
    signedBase: 0n,
    ...changes,
  }
}

describe('An own channel that ended and began again', () => {
  it('is right after a kill, whichever of its entries that left', async () => {
    const journal = new MemoryJournal()
    settleOutgoing(journal.book, DAY, paying({ restBase: 857n, signedBase: 50n }))
    await journal.write(DAY, { block: 1, isClosing: false })
    const again = paying({ epoch: 2, earlierBase: 25n, claimedBase: 25n, restBase: 938n })
    settleOutgoing(journal.book, DAY, again)
    await journal.write(DAY, { block: 2, isClosing: false })
    assert.ok(journal.lastWritten > 3)
    for (let torn = 0; torn <= journal.lastWritten; torn++) {
      const { book } = journal.reopen(torn)
      settleOutgoing(book, DAY, again)
      const balances = book.channels.get(ID)?.balances
      const of = (account: 'paid' | 'signed' | 'unsigned') => balances?.get(account) ?? 0n
      assert.deepEqual([of('paid'), of('signed'), of('unsigned')], [25n, 0n, 938n], `${torn}`)
    }
  })
})
