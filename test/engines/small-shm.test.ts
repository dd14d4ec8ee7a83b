import { describe, expect, it } from 'vitest'
import { prelude } from '../support/child'
import { run, succeeds } from '../support/run'
import { tempDir } from '../support/temp'

/** A mount namespace of its own, in which /dev/shm is as large as in a container. */
const mount = 'mount -t tmpfs -o size=64m tmpfs /dev/shm'
const possible = succeeds('unshare', ['-m', 'sh', '-c', mount])

function inSmallShm(script: string): string {
  const code = `process.chdir(${JSON.stringify(tempDir())})\n${prelude({})}${script}`
  return run('unshare', ['-m', 'sh', '-c', `${mount}; exec "$0" -e "$1"`, process.execPath, code])
}

describe(`in a /dev/shm of 64 MiB${possible ? '' : ' (left out: it needs a mount namespace)'}`, () => {
  it.runIf(possible)('seven logs with default options have their buffers; more says what to do', () => {
    const out = inSmallShm(`
      const open = []
      try { for (let i = 0; ; i++) open.push(i % 2 === 0 ? new Logger({ logFilePath: i + '.log', crashSafe: 'shm' })
        : shardlog.destination({ dest: i + '.log', format: 'ndjson', preset: 'low-latency' })) } catch (error) { console.log(error.message) }
      console.log(open.length)
      for (const log of open) { (log.log ?? log.write).call(log, 'x\\n'.repeat(100)); log.closeSync() }
      console.log(require('node:fs').readdirSync('/dev/shm').length)`)
    expect(out).toMatch(/fallocate: No space left on device; a smaller bufferSize needs less\n7\n0\n$/)
  })
})
