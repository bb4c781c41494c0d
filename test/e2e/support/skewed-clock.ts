/**
 * Preloaded into a relay's process, `--import …/skewed-clock.ts?ms=120000`: its wall clock is off by
 * so many milliseconds. Timers go as ever.
 */
const offsetMs = Number(new URL(import.meta.url).searchParams.get('ms'))
const trueNow = Date.now

Date.now = () => trueNow() + offsetMs
globalThis.Date = new Proxy(Date, {
  construct: (target, args, newTarget) =>
    Reflect.construct(target, args.length > 0 ? args : [Date.now()], newTarget) as Date,
})
