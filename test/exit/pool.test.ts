import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'
import { runChild } from '../support/child'
import { tempDir } from '../support/temp'

it("flushes and ends that wait take no thread of libuv's pool, and keep the loop alive until they are settled", () => {
  const pipes = Array.from({ length: 8 }, () => path.join(tempDir(), 'pipe'))
  for (const pipe of pipes) execFileSync('mkfifo', [pipe])
  const result = runChild(
    `process.env.UV_THREADPOOL_SIZE = '1'
     const fs = require('node:fs')
     const fds = config.pipes.map(pipe => fs.openSync(pipe, fs.constants.O_RDWR))
     const open = dest => shardlog.destination({ dest, format: 'ndjson', blockTimeout: 2_000, exitTimeout: 10 })
     const destinations = fds.map(open)
     for (const destination of destinations) {
       const log = shardlog({}, destination)
       for (let i = 0; i < 3_000; i++) log.info({ i }, 'nobody reads this')
     }
     let left = destinations.length
     for (const destination of destinations) {
       destination.flush(error => {
         console.log(error.code)
         destination.on('close', () => { if (--left === 0) console.log('closed') })
         destination.end()
       })
     }
     setTimeout(() => fs.readFile('/proc/version', () => console.log('read')), 20)`,
    { config: { pipes } }
  )
  expect(result.status).toBe(0)
  expect(result.stdout.trim().split('\n')).toEqual(['read', ...pipes.map(() => 'ERR_SHARDLOG_STALLED'), 'closed'])
})
