import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

it('a circuit breaker whose standard error nobody reads any more counts lines as dropped, and the program goes on', () => {
  const said = path.join(tempDir(), 'said')
  const script = `
    const shardlog = require(${JSON.stringify(packageRoot)})
    const breaker = shardlog.circuitBreaker({ write() { throw new Error('down') } }, { failures: 1 })
    const log = shardlog({}, breaker)
    setTimeout(() => {
      for (let i = 0; i < 10; i++) log.info({ i })
      setTimeout(() => require('node:fs').writeFileSync(process.env.SAID, JSON.stringify(breaker.stats())), 50)
    }, 100)`
  const codes = path.join(path.dirname(said), 'code')
  const shell = `{ "$NODE" -e "$SCRIPT" 2>&1 >/dev/null; echo "$?" >"${codes}"; } | { exec 0<&-; }`
  const env = { ...process.env, NODE: process.execPath, SCRIPT: script, SAID: said }
  spawnSync('sh', ['-c', shell], { env, timeout: 30_000 })
  expect(fs.readFileSync(codes, 'utf8').trim()).toBe('0')
  expect(JSON.parse(fs.readFileSync(said, 'utf8'))).toMatchObject({ diverted: 0, dropped: 10 })
})
