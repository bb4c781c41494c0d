import { readdirSync, readFileSync } from 'node:fs'
import { expect } from 'chai'

const here = new URL('./', import.meta.url)
const page = new URL('../../../../docs/contracts.md', import.meta.url)

/** Names of the outermost describe blocks of the files beside this one. */
function tested(): string[] {
  const files = readdirSync(here).filter((file) => !file.startsWith('names.'))
  return files.flatMap((file) => {
    const text = readFileSync(new URL(file, here), 'utf8')
    return [...text.matchAll(/^describe\('(.+)', /gm)].map((match) => match[1] ?? '')
  })
}

/** The rows of the table of threats: the attack, and the file of its test. */
function threats(): { name: string; file: string }[] {
  const [, section = ''] = readFileSync(page, 'utf8').split('\n## Threats\n')
  const [table = ''] = section.split('\n## ')
  return [...table.matchAll(/^\| (.+?) \|.*\| `(.+?)` \|$/gm)].map((match) => {
    return { name: match[1] ?? '', file: match[2] ?? '' }
  })
}

describe('the table of threats in docs/contracts.md', () => {
  it('lists the attacks that are tested here, and no others', () => {
    const names = threats().map(({ name }) => name)
    expect(names).not.to.have.length(0)
    expect(names).to.have.members(tested())
    expect(new Set(names).size).to.equal(names.length)
  })

  it('names the file in which each of them is', () => {
    for (const { name, file } of threats()) {
      const text = readFileSync(new URL(file, here), 'utf8')
      expect(text, `${file} should have ${name}`).to.include(`describe('${name}', `)
    }
  })
})
