import { runChild } from './child'
import type { Config } from './shardlog'

/**
 * Leaves the texts 'entry 0', 'entry 1' … in the arena of a process that was killed. Returns the
 * arena's path.
 */
export function killWithEntries(config: Config, count: number): string {
  const killed = runChild(
    `const logger = new Logger(config)
     for (let i = 0; i < ${count}; i++) logger.log('entry ' + i)
     require('node:fs').writeSync(1, logger.getStatsSnapshot().arenaPath)
     process.kill(process.pid, 'SIGKILL')`,
    { config }
  )
  if (killed.signal !== 'SIGKILL') throw new Error(`not killed: ${killed.stderr}`)
  return killed.stdout
}
