import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFile,
  mkdtemp,
  open,
  readFile,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { errorCode } from '@mainframe/protocol'
import fc from 'fast-check'
import { AppendLog } from '../../../node/src/storage/append-log.ts'
import { MAX_RECORD_BYTES } from '../../../node/src/storage/log-form.ts'

/** Of the file, before its records. */
const HEADER_BYTES = 20

let folder = ''
let files = 0
const newPath = () => join(folder, `${files++}.log`)

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'append-log-'))
})
after(async () => {
  await rm(folder, { recursive: true })
})

async function readAll(path: string): Promise<{ records: string[]; cutBytes: number }> {
  const records: string[] = []
  const log = await AppendLog.open(path, (record) => records.push(Buffer.from(record).toString()))
  await log.close()
  return { records, cutBytes: log.cutBytes }
}

/** A log with one batch a list of texts; answers the offset of every record. */
async function written(path: string, batches: readonly (readonly string[])[]): Promise<number[]> {
  const log = await AppendLog.open(path, () => {})
  const offsets: number[] = []
  for (const batch of batches) {
    for (const text of batch) offsets.push(log.append(Buffer.from(text)))
    await log.flush()
  }
  await log.close()
  return offsets
}

async function flipByte(path: string, position: number): Promise<void> {
  const file = await open(path, 'r+')
  const byte = Buffer.alloc(1)
  await file.read(byte, 0, 1, position)
  await file.write(Buffer.of((byte[0] ?? 0) ^ 0x40), 0, 1, position)
  await file.close()
}

const isCorrupt = (offset: number, path: string) => (error: unknown) => {
  assert.equal(errorCode(error), 'STORE_CORRUPT')
  assert.match(String(error), new RegExp(`byte ${offset}\\b.*truncate -s ${offset} `))
  assert.ok(String(error).includes(path))
  return true
}

describe('an append log', () => {
  it('refuses a file whose middle is damaged, names the byte and the way out, and opens after it', async () => {
    for (const part of ['length', 'distance', 'checksum', 'payload'] as const) {
      const path = newPath()
      const offsets = await written(path, [['first'], ['second', 'third'], ['fourth'], ['fifth']])
      const third = offsets[2] ?? 0
      await flipByte(path, third + { length: 0, distance: 5, checksum: 9, payload: 13 }[part])
      await assert.rejects(readAll(path), isCorrupt(third, path), part)
      await truncate(path, third)
      assert.deepEqual((await readAll(path)).records, ['first', 'second'])
    }
  })

  it('refuses a file that does not begin as one of its own, and leaves it as it is', async () => {
    const path = newPath()
    await written(path, [['first'], ['second']])
    const whole = await readFile(path)
    const bent = Array.from({ length: HEADER_BYTES }, (_, i) => {
      const copy = Buffer.from(whole)
      copy[i] = (copy[i] ?? 0) ^ 0x10
      return copy
    })
    const foreign = Buffer.from('something else altogether')
    for (const content of [
      ...bent,
      foreign,
      Buffer.alloc(0),
      whole.subarray(0, HEADER_BYTES - 1),
    ]) {
      await writeFile(path, content)
      await assert.rejects(readAll(path), (error) => {
        assert.equal(errorCode(error), 'STORE_CORRUPT')
        assert.match(String(error), /byte 0: restore it from a backup, or move it away/)
        return true
      })
      assert.deepEqual(await readFile(path), content)
    }
    await rm(path)
    assert.deepEqual((await readAll(path)).records, [])
  })

  it('cuts the last batch where a crash tore it, wherever that was', async () => {
    const path = newPath()
    const offsets = await written(path, [['first'], ['second'], ['third', 'fourth', 'fifth']])
    const whole = await readFile(path)
    const lastBatch = offsets[2] ?? 0
    for (let end = lastBatch + 1; end < whole.length; end++) {
      await writeFile(path, whole.subarray(0, end))
      const { records, cutBytes } = await readAll(path)
      const kept = offsets.filter((_, i) => (offsets[i + 1] ?? whole.length) <= end).length
      assert.deepEqual(records, ['first', 'second', 'third', 'fourth', 'fifth'].slice(0, kept))
      assert.equal(cutBytes, end - (offsets[kept] ?? 0))
      assert.equal((await stat(path)).size, end - cutBytes)
    }
  })

  it('cuts a last batch whose pages reached the disk out of order', async () => {
    const path = newPath()
    const offsets = await written(path, [['first'], ['second', 'third', 'fourth']])
    const second = offsets[1] ?? 0
    const whole = await readFile(path)
    whole.fill(0, second, second + 14)
    await writeFile(path, whole)
    const { records, cutBytes } = await readAll(path)
    assert.deepEqual(records, ['first'])
    assert.equal(cutBytes, whole.length - second)
  })

  it('takes no part of a torn record for a record, though a peer copied the form of one', async () => {
    const path = newPath()
    await written(path, [['first'], ['second']])
    const copied = (await readFile(path)).subarray(HEADER_BYTES)
    // a torn record whose payload is a copy of the log: intact records, but of another place
    await appendFile(path, Buffer.concat([Buffer.alloc(20, 7), copied]))
    assert.deepEqual((await readAll(path)).records, ['first', 'second'])
  })

  it('refuses an empty record and one that is too long', async () => {
    const log = await AppendLog.open(newPath(), () => {})
    assert.throws(() => log.append(new Uint8Array(0)), /1 to/)
    assert.throws(() => log.append(new Uint8Array(MAX_RECORD_BYTES + 1)), /1 to/)
    await log.close()
    const short = await AppendLog.open(newPath(), () => {}, { maxRecordBytes: 9 })
    assert.throws(() => short.append(new Uint8Array(10)), /1 to 9 bytes/)
    await short.close()
  })

  it('promises nothing after it was closed', async () => {
    const log = await AppendLog.open(newPath(), () => {})
    await log.close()
    assert.throws(
      () => log.append(Uint8Array.of(1)),
      (error) => errorCode(error) === 'STORE_FAILED',
    )
    await assert.rejects(log.flush(), (error) => errorCode(error) === 'STORE_FAILED')
  })

  it('says that a folder is missing', async () => {
    await assert.rejects(
      AppendLog.open(join(folder, 'nowhere', 'x.log'), () => {}),
      (error) => errorCode(error) === 'STORE_FAILED',
    )
  })

  it('loses nothing it called durable when its process is killed while it appends', async () => {
    for (const afterMs of [20, 60, 110]) {
      const path = newPath()
      const script = new URL('./appending-child.ts', import.meta.url).pathname
      const child = spawn(process.execPath, [script, path], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let output = ''
      child.stdout.on('data', (chunk: Buffer) => {
        output += chunk
      })
      await once(child.stdout, 'data')
      await new Promise((resolve) => setTimeout(resolve, afterMs))
      child.kill('SIGKILL')
      await once(child, 'close')
      const acknowledged = Number(output.trimEnd().split('\n').at(-1))
      const { records } = await readAll(path)
      assert.ok(acknowledged > 0)
      assert.ok(records.length > acknowledged, `${records.length} records of ${acknowledged}`)
      records.forEach((text, i) => {
        assert.equal(Number(text.slice(0, 10)), i)
      })
    }
  })

  it('makes many flushes of one turn one, and reads before, while and after it writes', async () => {
    const log = await AppendLog.open(newPath(), () => {})
    const texts = Array.from({ length: 500 }, (_, i) => `${i}`.repeat(1 + (i % 50)))
    const offsets: number[] = []
    const flushes = texts.map((text) => {
      offsets.push(log.append(Buffer.from(text)))
      return log.flush()
    })
    assert.equal(Buffer.from(await log.read(offsets[7] ?? 0)).toString(), texts[7])
    await Promise.all(flushes)
    const read = await Promise.all(offsets.map((offset) => log.read(offset)))
    assert.deepEqual(
      read.map((record) => Buffer.from(record).toString()),
      texts,
    )
    await assert.rejects(
      log.read((offsets[7] ?? 0) + 1),
      (error) => errorCode(error) === 'STORE_CORRUPT',
    )
    await log.close()
  })

  it('gives back any records in any batches, over any number of openings', async () => {
    const session = fc.array(fc.array(fc.uint8Array({ minLength: 1, maxLength: 9000 })), {
      maxLength: 4,
    })
    await fc.assert(
      fc.asyncProperty(fc.array(session, { maxLength: 3 }), async (sessions) => {
        const path = newPath()
        const expected: { offset: number; hex: string }[] = []
        for (const batches of sessions) {
          const found: { offset: number; hex: string }[] = []
          const log = await AppendLog.open(path, (record, offset) =>
            found.push({ offset, hex: Buffer.from(record).toString('hex') }),
          )
          assert.deepEqual(found, expected)
          for (const batch of batches) {
            for (const record of batch) {
              const hex = Buffer.from(record).toString('hex')
              expected.push({ offset: log.append(record), hex })
            }
            await log.flush()
          }
          assert.equal((await stat(path)).size, log.size)
          for (const { offset, hex } of expected) {
            assert.equal(Buffer.from(await log.read(offset)).toString('hex'), hex)
          }
          await log.close()
        }
      }),
      { numRuns: 30 },
    )
  })
})
