/** What the relays of the economy ask: as different as those of a market, by place. */

export interface Tariff {
  /** What packets cost the relay, in units: the least that it asks. */
  routeUnits: number
  holdUnitsPerHour: number
  marginPercent: number
}

const LEAST = { routeUnits: 800, holdUnitsPerHour: 15 }
const ROUTE_STEP_UNITS = 25
const MARGINS_PERCENT = [0, 5, 10, 20]

/** Costs rise with the place, margins come in turn. The dearest few ask more than clients pay a hop. */
export function tariffOf(place: number): Tariff {
  return {
    routeUnits: LEAST.routeUnits + ROUTE_STEP_UNITS * place,
    holdUnitsPerHour: LEAST.holdUnitsPerHour + place,
    marginPercent: MARGINS_PERCENT[place % MARGINS_PERCENT.length] ?? 0,
  }
}

/** The flags of `relay start` that say the same. */
export function tariffFlags(place: number): string[] {
  const { routeUnits, holdUnitsPerHour, marginPercent } = tariffOf(place)
  return [
    ...['--route-units', `${routeUnits}`],
    ...['--hold-units-per-hour', `${holdUnitsPerHour}`],
    ...['--margin-percent', `${marginPercent}`],
  ]
}
