'use strict'

/** Median of a list of numbers; NaN if it is empty. */
function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length

/**
 * Median over rounds of one property of each round's result. `pick` may be a name or a function.
 */
function medianOf(rounds, pick) {
  const get = typeof pick === 'function' ? pick : round => round[pick]
  return median(rounds.map(get).filter(value => Number.isFinite(value)))
}

/** 1234567.8 -> '1,234,568', with `digits` decimals; '–' for what was not measured. */
function format(value, digits = 0) {
  if (!Number.isFinite(value)) return '–'
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

module.exports = { median, mean, medianOf, format }
