'use strict'

const subject = require('../subject')

/** Opens a configuration; whatever goes wrong with an appender must end the measurement. */
function configured(appender, loggerName) {
  const logging = subject.load().configure(
    { appenders: { measured: appender } },
    {
      onError: error => {
        throw error
      }
    }
  )
  return {
    logging,
    target: logging.getLogger(loggerName),
    lost: () => logging.stats().measured.dropped
  }
}

/** A call that finds no room waits, however long it takes. */
const WAITS = { onFull: 'block', blockTimeout: Number.MAX_SAFE_INTEGER }

module.exports = { configured, WAITS }
