import type { Deployment } from './deployment.ts'
import type { Picture } from './picture.ts'
import { sights } from './sights.ts'

/** What differs between two pictures, a sentence each; logs and errors are decoded. */
export function differences(deployment: Deployment, want: Picture, seen: Picture): string[] {
  const wrong: string[] = []
  if (want.ok !== seen.ok) wrong.push(`It should have ${how(want.ok)}, and ${how(seen.ok)}.`)
  if (want.answer !== seen.answer) {
    const [a, b] = [want, seen].map((picture) => answerText(deployment, picture))
    wrong.push(`It should have answered ${a}, and answered ${b}.`)
  }
  if (want.logs.join() !== seen.logs.join()) {
    const [a, b] = [want, seen].map(({ logs }) => logs.map((log) => logText(deployment, log)))
    wrong.push(`It should have logged\n  ${a?.join('\n  ')}\nand logged\n  ${b?.join('\n  ')}`)
  }
  return want.words === seen.words ? wrong : [...wrong, ...otherWords(deployment, want, seen)]
}

const how = (ok: boolean) => (ok ? 'succeeded' : 'reverted')

function otherWords(deployment: Deployment, want: Picture, seen: Picture): string[] {
  return sights(deployment, deployment.initial).flatMap(({ name }, index) => {
    const [a, b] = [want, seen].map(({ words }) => `0x${words.slice(64 * index, 64 * index + 64)}`)
    return a === b ? [] : [`The ${name} should be ${Number(a)}, and is ${Number(b)} (${b}).`]
  })
}

function answerText({ interfaces }: Deployment, { ok, answer }: Picture): string {
  if (ok) return answer
  const parsed = Object.values(interfaces).map((abi) => abi.parseError(answer))
  const error = parsed.find((each) => each !== null)
  return error ? `${error.name}(${error.args.join(', ')})` : answer
}

function logText({ interfaces }: Deployment, log: string): string {
  const [address = '', ...rest] = log.split(' ')
  const data = rest.at(-1) ?? '0x'
  const parsed = interfaces[address]?.parseLog({ topics: rest.slice(0, -1), data })
  return parsed ? `${parsed.name}(${parsed.args.join(', ')}) of ${address}` : log
}
