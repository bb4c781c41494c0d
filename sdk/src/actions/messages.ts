import type { ReceivedMessage } from '../messages/deliveries.ts'
import type { Receiver } from '../messages/receiver.ts'

interface Waiting {
  message: ReceivedMessage
  done(): void
}

/**
 * The messages as they come. One counts as dealt with, and is acknowledged, when the next one is
 * asked for or the loop is left; use a handler where an exception must bring it back.
 */
export async function* messages(
  { receiver }: { receiver: Receiver<ReceivedMessage> },
  { signal }: { signal: AbortSignal },
): AsyncGenerator<ReceivedMessage, void, void> {
  const queue: Waiting[] = []
  let wake = Promise.withResolvers<void>()
  const onAbort = () => wake.resolve()
  signal.addEventListener('abort', onAbort)
  const stop = receiver.handle(
    (message) =>
      new Promise<void>((done) => {
        queue.push({ message, done })
        wake.resolve()
      }),
  )
  try {
    while (!signal.aborted) {
      const next = queue.shift()
      if (next) {
        try {
          yield next.message
        } finally {
          next.done()
        }
        continue
      }
      await wake.promise
      wake = Promise.withResolvers()
    }
  } finally {
    stop()
    signal.removeEventListener('abort', onAbort)
  }
}
