/** Runs what a pattern of the user's may keep busy for ever. */

import vm from 'node:vm'
import { ShardlogError } from '../errors'

/** Far more than a megabyte of log takes any sane pattern. */
const LIMIT_MS = 2000

/** Holds what is run, since a script sees nothing else of us. */
const sandbox: { run: (() => void) | null } = { run: null }
let script: vm.Script | undefined

/**
 * Runs a function; breaks it off when it takes too long, also within a regular expression.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it does; what the function throws
 */
export function withinTime(run: () => void, what: string): void {
  script ??= new vm.Script('run()')
  sandbox.run = run
  try {
    script.runInContext(vm.isContext(sandbox) ? sandbox : vm.createContext(sandbox), { timeout: LIMIT_MS })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', `${what} takes more than ${LIMIT_MS / 1000} s: it is given up`)
  } finally {
    sandbox.run = null
  }
}
