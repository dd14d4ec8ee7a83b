/** When records are. */

/** In place of a time: that of the engine's clock. */
const OF_THE_ENGINE = Number.NaN

const OwnDate = Date
const ownNow = Date.now
/** A test framework may have put its clock in place before we were loaded. */
const isNodes = Function.prototype.toString.call(ownNow).includes('[native code]')

/** The time for the engine: its own clock's, which is cheaper than Date's; but by `Date.now` if somebody has put another in its place. */
export function recordTime(): number {
  return Date === OwnDate && Date.now === ownNow && isNodes ? OF_THE_ENGINE : Date.now()
}
