'use strict'

/**
 * Loops around one call. Each is compiled from its own text, because one shared loop would become
 * megamorphic after the third callee and then charge every one of them for it.
 */

const METHOD = /^[A-Za-z_$][\w$]*$/

function checked(method) {
  if (!METHOD.test(method)) throw new TypeError(`not a method name: ${method}`)
  return method
}

/** (target, value, count): calls target[method](value) count times and returns the last result. */
function repeat(method) {
  return new Function(
    'target',
    'value',
    'count',
    `let last; for (let i = 0; i < count; i++) last = target.${checked(method)}(value); return last`
  )
}

/**
 * (target, value, count, from): evaluates `call` for each i in [from, from + count) and returns the
 * last result.
 * @param {string} call an expression of `target`, `value` and `i`, such as a call with an object
 *   literal
 */
function repeatCall(call) {
  return new Function(
    'target',
    'value',
    'count',
    'from',
    `let last; for (let i = from, to = from + count; i < to; i++) last = ${call}; return last`
  )
}

/** The call of a method with `value`, as an expression. */
const callOf = method => `target.${checked(method)}(value)`

/**
 * As repeat, for i in [from, to), with i written to `marks[0]` before each call: the entry numbers
 * itself.
 */
function repeatNumbered(method) {
  return new Function(
    'target',
    'value',
    'marks',
    'from',
    'to',
    `for (let i = from; i < to; i++) { marks[0] = i; target.${checked(method)}(value) }`
  )
}

/**
 * (target, value, clock, stamp, samples, from, to, start, interval): the expression `call` is
 * evaluated for each i when the clock shows start + i * interval, and its duration in ns goes to
 * samples[i].
 */
function paced(call) {
  return new Function(
    'target',
    'value',
    'clock',
    'stamp',
    'samples',
    'from',
    'to',
    'start',
    'interval',
    `for (let i = from; i < to; i++) {
      const due = start + i * interval
      let before
      do { stamp(); before = clock[0] } while (before < due)
      ${call}
      stamp()
      samples[i] = clock[0] - before
    }`
  )
}

module.exports = { repeat, repeatCall, repeatNumbered, paced, callOf }
