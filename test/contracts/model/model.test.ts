import { expect } from 'chai'
import fc from 'fast-check'
import { paymentChannelsAbi } from '../../../protocol/src/abi/payment-channels.ts'
import type { Situation } from './choose.ts'
import { type Deployment, deploy, networkHelpers } from './deployment.ts'
import { differences } from './differences.ts'
import { expected, perform } from './picture.ts'
import { step } from './reference.ts'
import { type Intent, resolve } from './resolve.ts'
import type { Kind } from './state.ts'
import { Tally } from './tally.ts'

/** How often each kind of step comes, roughly. */
const WEIGHTS: Record<Kind, number> = {
  wait: 1,
  approve: 1,
  transferAndCall: 2,
  onTransferReceived: 1,
  deposit: 3,
  depositFor: 1,
  withdraw: 3,
  open: 7,
  openWithPermit: 3,
  openFromVault: 4,
  claim: 5,
  claimable: 1,
  claimTo: 3,
  closeByPayee: 2,
  closeByPayeeTo: 2,
  closeWithRelease: 2,
  requestClose: 5,
  cancelClose: 2,
  finalize: 2,
  finalizeTo: 2,
}
/** What never reverts, and what does nothing but revert. */
const NEVER_REFUSED: Kind[] = ['wait', 'approve', 'claim', 'claimable', 'closeByPayee']
const NEVER_DONE: Kind[] = ['onTransferReceived']

const STEPS = 40
const START = 8
const sequences = Number(process.env['MODEL_SEQUENCES'] ?? 300)
/** Of one sequence alone not much can be expected. */
const enough = sequences >= 300 && process.env['MODEL_PATH'] === undefined
const repeated = {
  ...(process.env['MODEL_SEED'] === undefined ? {} : { seed: Number(process.env['MODEL_SEED']) }),
  ...(process.env['MODEL_PATH'] === undefined ? {} : { path: process.env['MODEL_PATH'] }),
}

const kinds = Object.keys(WEIGHTS) as Kind[]
/** A step of one of these kinds, which shrinks to waiting: that leaves it out. */
const intent = (among: readonly Kind[]): fc.Arbitrary<Intent> => {
  const choices = among.map((kind) => ({ arbitrary: fc.constant(kind), weight: WEIGHTS[kind] }))
  const kind = fc.oneof({ withCrossShrink: true }, ...choices)
  return fc.record({ kind, seed: fc.noShrink(fc.nat()) })
}
const inflows: Kind[] = ['wait', 'approve', 'open', 'openWithPermit', 'transferAndCall', 'deposit']
const sequence = fc.record({
  focus: fc.noShrink(fc.nat()),
  // first some money, or else there would be little to do
  start: fc.array(intent(inflows), { minLength: START, maxLength: START }),
  rest: fc.array(intent(kinds), { minLength: STEPS - START, maxLength: STEPS - START }),
})
type Sequence = typeof sequence extends fc.Arbitrary<infer T> ? T : never

/** The channels to two payees, in one token each. */
function focusOf({ places }: Deployment, seed: number): Situation['focus'] {
  const chosen = [seed, Math.floor(seed / places.length)].map((n) => places[n % places.length])
  return places.filter(({ terms }) =>
    chosen.some((one) => one?.terms.payee === terms.payee && one.terms.token === terms.token),
  )
}

describe('PaymentChannels against the reference model', () => {
  const tally = new Tally()
  let deployment: Deployment
  let beginning: Awaited<ReturnType<typeof networkHelpers.takeSnapshot>>

  before(async () => {
    deployment = await deploy()
    beginning = await networkHelpers.takeSnapshot()
  })

  async function play({ focus, start, rest }: Sequence): Promise<void> {
    await beginning.restore()
    const now = BigInt(await networkHelpers.time.latest())
    const situation: Situation = {
      deployment,
      state: deployment.initial,
      now,
      focus: focusOf(deployment, focus),
      history: [],
    }
    for (const each of [...start, ...rest]) {
      const { action, time } = resolve(situation, each)
      const outcome = step(deployment.facts, situation.state, action, time)
      const want = expected(deployment, situation.state, action, outcome)
      const seen = await perform(deployment, action, time)
      situation.history.push(action)
      const wrong = differences(deployment, want, seen)
      if (wrong.length > 0) throw new Error(story(situation.history, wrong))
      if (!outcome.refused) situation.state = outcome.state
      situation.now = time
      tally.count(action.kind, outcome)
    }
  }

  it('agrees in every slot, vault, balance, event, result and error after every step', async function () {
    this.timeout(0)
    const started = performance.now()
    const property = fc.asyncProperty(sequence, play)
    const result = await fc.check(property, { numRuns: sequences, ...repeated })
    const seconds = (performance.now() - started) / 1_000
    process.stdout.write(tally.report({ sequences: result.numRuns, seconds, seed: result.seed }))
    if (result.failed) throw new Error(failure(result))
  })

  it('did every kind of step, and had every kind refused', function () {
    if (!enough) this.skip()
    for (const kind of kinds) {
      const { done, refused } = tally.of(kind)
      if (!NEVER_DONE.includes(kind)) expect(done, `${kind} was never done`).to.be.above(0)
      if (!NEVER_REFUSED.includes(kind)) expect(refused, `${kind} was never refused`).to.be.above(0)
    }
  })

  it('met every error of the contract, and every reason to skip a row', function () {
    if (!enough) this.skip()
    const errors = paymentChannelsAbi.flatMap((entry) => {
      return entry.type === 'error' && entry.name.startsWith('Channels') ? [entry.name] : []
    })
    expect(tally.errors()).to.include.members(errors)
    expect(tally.skipped()).to.have.members([1, 2, 3])
  })
})

type Failure = Pick<fc.RunDetails<unknown>, 'seed' | 'counterexamplePath' | 'errorInstance'>

/** The whole sequence up to what went wrong. */
function story(history: readonly object[], wrong: readonly string[]): string {
  const lines = history.map((action, index) => `${index + 1}. ${text(action)}`)
  return ['After these steps', ...lines, 'chain and model differ:', ...wrong].join('\n')
}

function text(value: object): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? `${each}n` : each))
}

function failure({ seed, counterexamplePath, errorInstance }: Failure): string {
  const again = `MODEL_SEED=${seed} MODEL_PATH=${counterexamplePath}`
  return `Repeat it with ${again}\n${String(errorInstance)}`
}
