import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import {
  encodeFrame,
  FRAME_BYTES,
  type Frame,
  FrameWriter,
  MainframeError,
  readFrames,
} from '@mainframe/protocol'
import fc from 'fast-check'
import { duplexPair, type TestStream } from '../support/duplex.ts'

const numbered = (sequence: number) => encodeFrame({ type: 'packet', sequence })

/** Everything that comes out of a stream, `undefined` for a bad frame. */
async function readAll(stream: TestStream): Promise<(Frame | undefined)[]> {
  const all: (Frame | undefined)[] = []
  for await (const frames of readFrames(stream)) all.push(...frames)
  return all
}

const sequences = (frames: readonly (Frame | undefined)[]) => frames.map((frame) => frame?.sequence)

describe('readFrames: broken streams', () => {
  it('ends with undefined after half a frame', async () => {
    const [near, far] = duplexPair()
    near.send(numbered(1))
    near.send(numbered(2).subarray(0, 100))
    await near.close()
    assert.deepEqual(sequences(await readAll(far)), [1, undefined])
  })

  it('ends with undefined at a frame that does not decode, whatever follows', async () => {
    const [near, far] = duplexPair()
    near.send(Buffer.concat([numbered(1), new Uint8Array(FRAME_BYTES), numbered(3)]))
    near.send(numbered(4))
    assert.deepEqual(sequences(await readAll(far)), [1, undefined])
  })

  it('ends with undefined at bytes between frames', async () => {
    const [near, far] = duplexPair()
    near.send(Buffer.concat([numbered(1), new Uint8Array(9), numbered(2)]))
    await near.close()
    assert.deepEqual(sequences(await readAll(far)), [1, undefined])
  })

  it('gives copies, also of the Buffers of a socket, which may be written to again', async () => {
    const [near, far] = duplexPair()
    const body = new Uint8Array(100).fill(7)
    const chunk = Buffer.concat([encodeFrame({ type: 'packet', body }), numbered(2)])
    const half = Buffer.from(numbered(3))
    near.send(Buffer.concat([chunk, half.subarray(0, 9)]))
    const reading = readFrames(far)
    const sent = (await reading.next()).value ?? []
    assert.deepEqual(sequences(sent), [0, 2])
    assert.equal(sent[0]?.body.constructor, Uint8Array)
    assert.equal(sent[0]?.body.buffer.byteLength, FRAME_BYTES)
    near.send(half.subarray(9))
    assert.deepEqual(sequences((await reading.next()).value ?? []), [3])
    await near.close()
  })

  it('fails when the stream fails', async () => {
    const [near, far] = duplexPair()
    near.send(numbered(1))
    near.abort(new MainframeError('NETWORK_CLOSED', 'gone'))
    await assert.rejects(readAll(far), { code: 'NETWORK_CLOSED' })
  })

  it('reads nothing from a stream that ends at once', async () => {
    const [near, far] = duplexPair()
    await near.close()
    assert.deepEqual(await readAll(far), [])
  })
})

describe('frames over a stream', () => {
  it('arrive whole and in order wherever the stream is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 60 }),
        fc.array(fc.integer({ min: 1, max: 3 * FRAME_BYTES }), { minLength: 1, maxLength: 12 }),
        async (count, cuts) => {
          const [near, far] = duplexPair({ split: splitter(cuts) })
          const writer = new FrameWriter(near)
          for (let i = 0; i < count; i++) writer.write(numbered(i))
          await writer.idle()
          await near.close()
          const expected = Array.from({ length: count }, (_, i) => i)
          assert.deepEqual(sequences(await readAll(far)), expected)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('a decoded frame does not share memory with the chunk it came in', async () => {
    const [near, far] = duplexPair()
    const chunk = encodeFrame({ type: 'packet', body: new Uint8Array(2048).fill(1) })
    near.send(chunk)
    await near.close()
    const [frame] = await readAll(far)
    chunk.fill(0xff)
    assert.equal(frame?.body[0], 1)
  })

  it('reads lists of chunks as libp2p gives them', async () => {
    const whole = Buffer.concat([numbered(1), numbered(2)])
    const chunks = [whole.subarray(0, 3000), { subarray: () => whole.subarray(3000) }]
    const [stream] = duplexPair()
    const listed = Object.assign(Object.create(stream), {
      async *[Symbol.asyncIterator]() {
        yield* chunks
      },
    })
    assert.deepEqual(sequences(await readAll(listed)), [1, 2])
  })
})

describe('FrameWriter', () => {
  it('sends what one turn wrote in few calls', async () => {
    const [near] = duplexPair()
    const writer = new FrameWriter(near)
    for (let i = 0; i < 64; i++) writer.write(numbered(i))
    assert.equal(writer.waiting, 64)
    assert.equal(near.sends, 0)
    await writer.idle()
    assert.equal(writer.waiting, 0)
    assert.equal(near.sends, 3) // 31 frames fit a write
  })

  it('waits when the peer is behind, and goes on when it has caught up', async () => {
    const [near, far] = duplexPair()
    near.stalled = true
    const drained = Promise.withResolvers<void>()
    near.onDrain = () => drained.promise
    const writer = new FrameWriter(near)
    for (let i = 0; i < 100; i++) writer.write(numbered(i))
    for (let i = 0; i < 10; i++) await turn()
    assert.deepEqual([near.sends, writer.waiting], [1, 69])
    near.stalled = false
    drained.resolve()
    await writer.idle()
    assert.equal(writer.waiting, 0)
    await near.close()
    assert.equal((await readAll(far)).length, 100)
  })

  it('drops what waits when the stream fails or it is closed, and ignores later writes', async () => {
    for (const end of ['fails', 'closes'] as const) {
      const [near] = duplexPair()
      const writer = new FrameWriter(near)
      writer.write(numbered(1))
      if (end === 'fails') near.abort(new MainframeError('NETWORK_CLOSED', 'gone'))
      else writer.close()
      await writer.idle()
      writer.write(numbered(2))
      await writer.idle()
      assert.deepEqual([near.sends, writer.waiting], [0, 0], end)
    }
  })
})

/** Cuts bytes into pieces of the given lengths, over and over. */
function splitter(lengths: readonly number[]): (bytes: Uint8Array) => Uint8Array[] {
  let next = 0
  return (bytes) => {
    const pieces: Uint8Array[] = []
    for (let offset = 0; offset < bytes.length; ) {
      const length = lengths[next++ % lengths.length] ?? bytes.length
      pieces.push(bytes.subarray(offset, offset + length))
      offset += length
    }
    return pieces
  }
}
