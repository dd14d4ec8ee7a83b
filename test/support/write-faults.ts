import path from 'node:path'
import { run, succeeds } from './run'
import { tempDir } from './temp'

/** Whether processes may be traced here. */
export const canTrace = succeeds('strace', ['-f', '-qq', '-o', '/dev/null', '-e', 'trace=none', 'true'])

export interface Injection {
  /** The file whose writes fail. */
  log: string
  errno: 'EIO' | 'EROFS' | 'EDQUOT' | 'ENOSPC'
  /** Number of the first write that fails, from 1. */
  first: number
  /** Number of the last one; all from the first on without it. */
  last?: number
}

export interface TracedWrites {
  /** Command that the process which logs is started through. */
  wrapper: string[]
  /** What the system calls on the log answered, in their order. */
  answers: () => string[]
}

/** Has the kernel's interface answer some writes to a file with an error, by strace. */
export function injectWrites({ log, errno, first, last }: Injection): TracedWrites {
  const trace = path.join(tempDir(), 'trace')
  const calls = 'pwritev,pwrite64,write,writev'
  const inject = `inject=${calls}:error=${errno}:when=${first}${last === undefined ? '+' : `..${last}`}`
  return {
    wrapper: ['strace', '-f', '-qq', '-o', trace, '-P', log, '-e', `trace=${calls}`, '-e', inject],
    answers: () =>
      run('cat', [trace])
        .split('\n')
        .flatMap(line => / = (-1 [A-Z]+|\d+)/.exec(line)?.[1] ?? [])
  }
}
