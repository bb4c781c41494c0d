import { benchLive } from './live.ts'

console.log(
  await benchLive({ relays: 5, messages: 20, starts: 2 }, (t) =>
    console.error(new Date().toISOString(), t),
  ),
)
