import { readFile } from 'node:fs/promises'
import { expect } from 'chai'
import { measureGas } from '../../bench/gas/measure.ts'
import { furtherRow, isWithin, LINES, METHOD, renderTable } from '../../bench/gas/table.ts'

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8')

describe('gas', () => {
  it('is what bench/gas.json has, to the unit (npm run gas writes it)', async () => {
    expect(await measureGas()).to.deep.equal(JSON.parse(await read('bench/gas.json')))
  })

  it('is within every bar', async () => {
    const table = JSON.parse(await read('bench/gas.json'))
    expect(LINES.map(({ name }) => name)).to.deep.equal(Object.keys(table))
    expect(LINES.filter((line) => !isWithin(table, line))).to.deep.equal([])
  })

  it('is over a bar by a single unit, and by a single unit of a further row', async () => {
    const table = JSON.parse(await read('bench/gas.json'))
    for (const line of LINES) {
      const { name, atMost, furtherOver } = line
      if (atMost !== undefined)
        expect(isWithin({ ...table, [name]: atMost + 1 }, line)).to.equal(false)
      if (furtherOver?.atMost === undefined) continue
      const most = table[furtherOver.from] + furtherOver.rows * furtherOver.atMost
      expect(furtherRow({ ...table, [name]: most }, line)).to.equal(furtherOver.atMost)
      expect(isWithin({ ...table, [name]: most + furtherOver.rows }, line)).to.equal(false)
    }
  })

  it('stands in docs/contracts.md as it was measured', async () => {
    const page = await read('docs/contracts.md')
    expect(page).to.include(renderTable(JSON.parse(await read('bench/gas.json'))))
    expect(page.replaceAll(/\s+/g, ' ')).to.include(METHOD.replaceAll(/\s+/g, ' '))
  })
})
