import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { packageRoot } from './shardlog'

/** A child that hangs would hang the suite: it is killed, and its test fails. */
const TIMEOUT_MS = 30_000

export interface ChildOptions {
  /** Given to the script as `config`. */
  config: object
  /** Arguments of node itself. */
  nodeArgs?: string[]
  /** Soft limit of the size of files the child writes, bytes. */
  fileSizeLimit?: number
  /** Descriptor of the file that is its standard output. Default: a pipe. */
  stdout?: number
}

/** The start of each child's script: `Logger` and `config`. */
export const prelude = (config: object): string =>
  `const shardlog = require(${JSON.stringify(packageRoot)})\n` +
  `const { Logger } = shardlog\nconst config = ${JSON.stringify(config)}\n`

/** Runs `script` in a Node of its own and waits for its end. */
export function runChild(script: string, options: ChildOptions): SpawnSyncReturns<string> {
  const args = [...(options.nodeArgs ?? []), '-e', prelude(options.config) + script]
  const stdio: ('pipe' | number)[] = ['pipe', options.stdout ?? 'pipe', 'pipe']
  const limits = { encoding: 'utf8' as const, timeout: TIMEOUT_MS, killSignal: 'SIGKILL' as const, stdio }
  if (options.fileSizeLimit === undefined) return spawnSync(process.execPath, args, limits)
  // sh counts in units of 512 bytes.
  const command = `ulimit -f ${options.fileSizeLimit / 512}; exec "$0" "$@"`
  return spawnSync('sh', ['-c', command, process.execPath, ...args], limits)
}
