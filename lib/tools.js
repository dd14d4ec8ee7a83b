'use strict'

// Agents that follow pino's lines rewrite its function `asJson` as the file `lib/tools.js` is
// loaded, or put another in its place among what the file exports, and tell it by these two names
// and the package's: New Relic's do. That is why a file of this name lies here, below the package's
// own folder, and is no TypeScript. `dist/lib/tools.js` is what programs get that import
// `pino/lib/tools`.

const seam = { asJson, own: asJson, make: undefined }

/** A record as a line, by `make`, with the logger as `this`. Called only if an agent was here. */
function asJson(fields, message, level, time) {
  return seam.make.call(this, fields, message, level, time)
}

module.exports = seam
