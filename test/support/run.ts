import { spawnSync } from 'node:child_process'

const limits = { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' } as const

/** Runs a command to its end and returns what it printed. Throws if it fails. */
export function run(command: string, args: string[]): string {
  const ended = spawnSync(command, args, limits)
  if (ended.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${ended.error ?? ended.stderr}`)
  return ended.stdout
}

/** Whether a command is there and succeeds. */
export const succeeds = (command: string, args: string[]): boolean => spawnSync(command, args, limits).status === 0
