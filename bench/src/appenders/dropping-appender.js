'use strict'

/** An appender whose lines go nowhere: what it costs to make them. */
module.exports = {
  description: 'Drops all lines.',
  schema: { properties: {} },
  open: () => ({
    writeRaw: () => {},
    flush: () => Promise.resolve(),
    close: () => Promise.resolve()
  })
}
