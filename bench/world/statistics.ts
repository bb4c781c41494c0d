/** The value below which this share of the values lies; they need not be sorted. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits))
}

/** Milliseconds since the Unix epoch, finer than Date.now, alike in all processes of a machine. */
export function preciseNowMs(): number {
  return performance.timeOrigin + performance.now()
}
