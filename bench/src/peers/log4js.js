'use strict'

const os = require('node:os')
const { setImmediate: tick } = require('node:timers/promises')

/** log4js has no layout for JSON of its own. */
function jsonLayout() {
  const hostname = os.hostname()
  return ({ level, startTime, pid, context, data: [msg, fields] }) =>
    JSON.stringify({ level: level.levelStr, time: startTime, pid, hostname, ...context, ...fields, msg })
}

const peer = {
  name: 'log4js',
  package: 'log4js',
  kinds: [],
  records: {
    note: 'info(message, fields), a layout that makes JSON with level, time, pid, hostname; file appender; bindings by addContext',
    call: ({ fields, message }) => `target.info(${message}, { ${fields} })`,
    child: (logger, bindings) => {
      for (const [key, value] of Object.entries(bindings)) logger.addContext(key, value)
      return logger
    }
  },
  async open(file) {
    const log4js = require('log4js')
    log4js.addLayout('json', jsonLayout)
    log4js.configure({
      appenders: { file: { type: 'file', filename: file, layout: { type: 'json' } } },
      categories: { default: { appenders: ['file'], level: 'info' } }
    })
    let paused = false
    process.on('log4js:pause', value => {
      paused = value
    })
    return {
      target: log4js.getLogger(),
      method: 'info',
      settle: async () => {
        do await tick()
        while (paused)
      },
      close: () => new Promise((resolve, reject) => log4js.shutdown(error => (error ? reject(error) : resolve())))
    }
  }
}

module.exports = { peer }
