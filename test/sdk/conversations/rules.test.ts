/** The pure decisions: which commits stand, which branch counts, who is steward, who has what. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Branch, bestBranch } from '../../../sdk/src/conversations/branches.ts'
import { keepsUp, reached } from '../../../sdk/src/conversations/deliveries.ts'
import { encodeFloor, encodeGroupData } from '../../../sdk/src/conversations/group-data.ts'
import { History } from '../../../sdk/src/conversations/history.ts'
import { MAX_MISSING_BY_ONE } from '../../../sdk/src/conversations/limits.ts'
import type { Message } from '../../../sdk/src/conversations/message.ts'
import {
  COMMIT_REFUSALS,
  type CommitRefusal,
  judgeCommit,
} from '../../../sdk/src/conversations/rules.ts'
import { planCommit, stewards } from '../../../sdk/src/conversations/steward.ts'
import type { CommitSummary } from '../../../sdk/src/mls/process.ts'

const key = (value: number) => new Uint8Array(32).fill(value)
const member = (leaf: number, name = leaf + 1) => ({
  leaf,
  inboxKey: key(name),
  signatureKey: key(100 + name),
})
const [admin, plain, third] = [member(0), member(1), member(2)]
const data = (admins: Uint8Array[], address = key(9)) => encodeGroupData({ address, admins })

describe('commits', () => {
  const group = { members: [admin, plain], groupData: data([admin.inboxKey]) }
  const nothing: CommitSummary = {
    committer: 0,
    isRejoin: false,
    added: [],
    removed: [],
    changesGroupData: false,
    doesMore: false,
    authenticatedData: encodeFloor(1),
  }
  const judge = (change: Partial<CommitSummary>, after: Partial<typeof group> = {}) =>
    judgeCommit({ ...nothing, ...change }, group, { ...group, ...after })

  it('are refused, each for a reason that has a name', () => {
    const cases: [CommitRefusal, CommitRefusal | undefined][] = [
      ['not-admin', judge({ committer: 1, removed: [0] })],
      ['not-admin', judge({ committer: 1, changesGroupData: true })],
      ['does-more', judge({ doesMore: true })],
      ['bad-floor', judge({ authenticatedData: new Uint8Array(3) })],
      ['bad-group-data', judge({ changesGroupData: true }, { groupData: key(1) })],
      ['bad-group-data', judge({ committer: 7 })],
      ['address-changed', judge({}, { groupData: data([admin.inboxKey], key(8)) })],
      ['no-admin', judge({}, { groupData: data([]) })],
      ['admin-unknown', judge({}, { groupData: data([admin.inboxKey, key(77)]) })],
      ['committer-changed', judge({}, { members: [member(0, 5), plain] })],
      ['member-twice', judge({}, { members: [admin, plain, { ...third, inboxKey: key(2) }] })],
      [
        'too-many-members',
        judge({}, { members: Array.from({ length: 257 }, (_, leaf) => member(leaf)) }),
      ],
    ]
    for (const [expected, refusal] of cases) assert.equal(refusal, expected)
    assert.deepEqual(new Set(cases.map(([expected]) => expected)), new Set(COMMIT_REFUSALS))
  })

  it('stand when an admin changes members, and when anybody renews his keys', () => {
    assert.equal(judge({ removed: [1] }, { members: [admin] }), undefined)
    assert.equal(judge({ added: [third] }, { members: [admin, plain, third] }), undefined)
    assert.equal(judge({ committer: 1 }), undefined)
    assert.equal(judge({ committer: 1, isRejoin: true, removed: [1] }), undefined)
  })
})

describe('branches', () => {
  const node = (id: string, epoch: number, parent: string | undefined, commitDigest = id) => ({
    id,
    epoch,
    parent,
    commitDigest,
    committer: undefined,
    ousted: [],
  })
  const best = (nodes: Branch[], witnesses: Record<string, string[]> = {}) =>
    bestBranch(new Map(nodes.map((each) => [each.id, each])), (id) => new Set(witnesses[id]))?.id

  it('count by depth, then by witnesses since they parted, then by the lower digest', () => {
    const [root, a, b] = [node('r', 0, undefined), node('a', 1, 'r'), node('b', 1, 'r')]
    assert.equal(best([root, b, a]), 'a')
    assert.equal(best([root, a, b], { b: ['x'] }), 'b')
    assert.equal(best([root, a, b], { r: ['x', 'y'], a: ['x'], b: ['x', 'y'] }), 'b')
    assert.equal(best([root, a, b, node('c', 2, 'b')], { a: ['x', 'y', 'z'] }), 'c')
    const deep = [root, a, node('d', 2, 'a'), b, node('c', 2, 'b')]
    assert.equal(best(deep, { a: ['x'], d: ['x'], b: ['x'], c: ['y'] }), 'c')
    assert.equal(best([]), undefined)
  })

  it('do not count, however deep, when whoever began them is ousted by a rival', () => {
    const root = node('r', 0, undefined)
    const removal = { ...node('b', 1, 'r'), committer: 'admin', ousted: ['mallory'] }
    const undoing = { ...node('a', 1, 'r'), committer: 'mallory' }
    const deeper = [undoing, { ...node('c', 2, 'a'), committer: 'mallory' }, node('d', 3, 'c')]
    assert.equal(best([root, removal, ...deeper]), 'b')
    const late = { ...removal, id: 'f', epoch: 2, parent: 'e' }
    assert.equal(best([root, node('e', 1, 'r'), late, ...deeper]), 'f')
    // of two who oust each other, as of honest commits at the same time, the usual order decides
    const back = { ...undoing, ousted: ['admin'] }
    assert.equal(best([root, removal, back, ...deeper.slice(1)]), 'd')
    assert.equal(best([root, removal, { ...undoing, committer: 'carol' }, ...deeper.slice(1)]), 'd')
  })
})

describe('stewards', () => {
  const group = {
    members: [admin, plain, third],
    data: { address: key(9), admins: [admin.inboxKey, third.inboxKey] },
  }
  const ask = (from: Uint8Array, wish: Parameters<typeof planCommit>[1][number]['wish']) => ({
    id: 'a',
    from,
    wish,
  })

  it('do nothing for members without the right, nor against themselves', () => {
    const byMember = ask(plain.inboxKey, { op: 'remove', inboxKey: third.inboxKey })
    assert.equal(planCommit(group, [byMember], admin.inboxKey), undefined)
    const leave = ask(admin.inboxKey, { op: 'leave' })
    assert.equal(planCommit(group, [leave], admin.inboxKey), undefined)
    const alone = { ...group, data: { ...group.data, admins: [admin.inboxKey] } }
    const demotion = ask(admin.inboxKey, { op: 'role', role: 'member', inboxKey: admin.inboxKey })
    assert.equal(planCommit(alone, [demotion], admin.inboxKey), undefined)
  })

  it('are admins, nearest to the epoch first, without those who are to go', () => {
    const order = stewards(group, key(3), [])
    assert.deepEqual(order, [third.inboxKey, admin.inboxKey])
    const leave = ask(third.inboxKey, { op: 'leave' })
    assert.deepEqual(stewards(group, key(3), [leave]), [admin.inboxKey])
    const all = [leave, ask(admin.inboxKey, { op: 'leave' })]
    assert.deepEqual(stewards(group, key(3), all), [third.inboxKey, admin.inboxKey])
  })

  it('leave out what would leave no admin, and do the rest', () => {
    const alone = { ...group, data: { ...group.data, admins: [admin.inboxKey] } }
    const demotion = ask(admin.inboxKey, { op: 'role', role: 'member', inboxKey: admin.inboxKey })
    const removal = ask(admin.inboxKey, { op: 'remove', inboxKey: third.inboxKey })
    const plan = planCommit(alone, [demotion, removal], admin.inboxKey)
    assert.deepEqual([plan?.requests, plan?.remove], [[removal], [third.leaf]])
  })

  it('name as newcomers those whom the commit adds: at most 32, each once', () => {
    const invitations = Array.from({ length: 40 }, (_, i) => ({
      ...ask(admin.inboxKey, {
        op: 'add' as const,
        keyPackage: key(i >> 1),
        role: 'member' as const,
      }),
      newcomer: new Uint8Array(32).fill(100 + (i >> 1)),
    }))
    const few = planCommit(group, invitations, admin.inboxKey)
    assert.deepEqual([few?.add.length, few?.newcomers.length], [20, 20])
    const many = invitations.map((each, i) => ({
      ...each,
      newcomer: new Uint8Array(32).fill(100 + i),
    }))
    const full = planCommit(group, many, admin.inboxKey)
    assert.deepEqual([full?.add.length, full?.newcomers.length], [32, 32])
  })

  it('take the role from an admin before they remove him', () => {
    const leave = ask(third.inboxKey, { op: 'leave' })
    const first = planCommit(group, [leave], admin.inboxKey)
    assert.deepEqual([first?.remove, first?.groupData !== undefined], [[], true])
    const after = { ...group, data: { ...group.data, admins: [admin.inboxKey] } }
    const second = planCommit(after, [leave], admin.inboxKey)
    assert.deepEqual([second?.remove, second?.groupData], [[2], undefined])
  })
})

describe('a history', () => {
  const message = (id: string, lamport: number, parents: [string, number][] = []): Message => ({
    id,
    lamport,
    parents: parents.map(([name, time]) => ({ id: name, lamport: time })),
    sender: key(1),
    epochId: 'e',
    isComplete: true,
    salt: key(0),
    kind: 0,
    body: key(0),
    bytes: key(0),
  })

  it('refuses to look for more than one member may name', () => {
    const history = new History(0)
    for (let i = 0; i < MAX_MISSING_BY_ONE; i++) {
      assert.equal(history.want({ id: `${i}`, lamport: 5 }, 'hostile', 0), 'missing')
    }
    assert.equal(history.want({ id: 'more', lamport: 5 }, 'hostile', 0), 'refused')
    assert.equal(history.want({ id: 'more', lamport: 5 }, 'honest', 0), 'missing')
  })

  it('does not look for what is from before it began, nor for what was given up', () => {
    const history = new History(4)
    assert.equal(history.add(message('old', 4), 0), 'before-joining')
    assert.equal(history.add(message('new', 6, [['old', 4]]), 0), 'new')
    assert.deepEqual(history.missing(), [])
    history.want({ id: 'gone', lamport: 7 }, 'x', 0)
    history.giveUp('gone')
    assert.equal(history.want({ id: 'gone', lamport: 7 }, 'x', 0), 'here')
    assert.deepEqual(history.statement().lacking, [{ id: 'gone', lamport: 7 }])
  })

  it('looks for the newer version of what was sent again, and shows it as a head', () => {
    const history = new History(0)
    history.add(message('a', 1), 0)
    history.add(message('b', 2, [['a', 1]]), 0)
    assert.deepEqual(history.heads(8), [{ id: 'b', lamport: 2 }])
    history.add(message('c', 4, [['a', 3]]), 0)
    assert.deepEqual(
      history.missing().map(({ id }) => id),
      ['a'],
    )
    assert.equal(history.add(message('a', 5), 0), 'replaced')
    assert.deepEqual(history.missing(), [])
    assert.deepEqual(
      history.heads(8).map(({ id }) => id),
      ['a', 'c', 'b'],
    )
  })

  it('credits a member with what it has, and not with what is below its gaps', () => {
    const history = new History(0)
    history.add(message('a', 1), 0)
    history.add(message('b', 2, [['a', 1]]), 0)
    history.add(message('c', 3, [['b', 2]]), 0)
    const targets = new Set(['a', 'b', 'c'])
    const heads = [{ id: 'c', lamport: 3 }]
    const all = reached(history, { heads, lacking: [], isCut: false }, targets)
    assert.deepEqual([...all].sort(), ['a', 'b', 'c'])
    const gap = { heads, lacking: [{ id: 'b', lamport: 2 }], isCut: false }
    assert.deepEqual([...reached(history, gap, targets)], ['c'])
    assert.equal(reached(history, { ...gap, isCut: true }, targets).size, 0)
    assert.equal(keepsUp(history, gap, heads), false)
    assert.equal(keepsUp(history, { heads, lacking: [], isCut: false }, heads), true)
  })
})
