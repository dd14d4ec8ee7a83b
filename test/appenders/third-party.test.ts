import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const { configure } = shardlog

const KIND = `
module.exports = {
  description: 'Keeps lines.',
  schema: { properties: { to: { type: 'string' }, mark: { type: 'string', default: '!' } }, required: ['to'] },
  open({ options }) {
    const append = lines => require('node:fs').appendFileSync(options.to, lines.map(line => options.mark + line).join(''))
    return { writeRaw: append, flush: async () => {}, close: async () => {} }
  }
}
`

function files(kind: string, type = './own-kind.js') {
  const directory = tempDir()
  fs.writeFileSync(path.join(directory, 'own-kind.js'), kind)
  const config = path.join(directory, 'logging.yaml')
  fs.writeFileSync(
    config,
    `appenders:\n  own:\n    type: ${type}\n    to: ${path.join(directory, 'out')}\n    level: warn\n`
  )
  return { config, out: path.join(directory, 'out') }
}

describe('an appender of somebody else’s', () => {
  it('is loaded from where the configuration lies, and has levels and defaults as others do', async () => {
    const { config, out } = files(KIND)
    const logging = configure(config)
    const log = logging.getLogger('a')
    log.info('below')
    log.warn('above')
    await logging.close()
    expect(fs.readFileSync(out, 'utf8')).toMatch(/^!\{"level":40.*"msg":"above"\}\n$/)
  })

  it.each([
    [
      'that is not there',
      KIND,
      './none.js',
      /appenders\.own\.type: is a module that cannot be loaded: Cannot find module/
    ],
    ['that throws', 'throw new Error("broken inside")', './own-kind.js', /cannot be loaded: broken inside/],
    ['that exports something else', 'module.exports = 5', './own-kind.js', /exports no kind of appender/],
    ['whose options are wrong', KIND.replace("'string' },", "'number' },"), './own-kind.js', /own\.to: must be/]
  ])('%s is a problem with its path', (_which, kind, type, message) => {
    const { config } = files(kind, type)
    expect(() => configure(config)).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' }))
    expect(() => configure(config)).toThrow(message)
  })
})
