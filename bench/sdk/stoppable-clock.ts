import { type Clock, systemClock } from '../../sdk/src/clock.ts'

/** The system's clock, until it is stopped: then no timer fires any more, so that nothing else is measured. */
export interface StoppableClock extends Clock {
  isStopped: boolean
}

export function stoppableClock(): StoppableClock {
  const clock: StoppableClock = {
    isStopped: false,
    now: () => systemClock.now(),
    after: (ms, run) => systemClock.after(ms, () => clock.isStopped || run()),
  }
  return clock
}
