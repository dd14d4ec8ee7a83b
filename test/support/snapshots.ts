import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { packageRoot } from './shardlog'

const child = path.join(packageRoot, 'test', 'recorder', 'children', 'record.js')

/** The child's program. */
export const childProgram = child

/** Runs the child to its end, with `env` beside our own. */
export function live(life: string, options: object, env: Record<string, string> = {}) {
  const limits = { encoding: 'utf8', timeout: 30_000, env: { ...process.env, ...env } } as const
  return spawnSync(process.execPath, [child, life, JSON.stringify(options)], limits)
}

/** Starts the child; it is killed when the test is over. */
export function start(life: string, options: object) {
  const started = spawn(process.execPath, [child, life, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  onTestFinished(() => void started.kill('SIGKILL'))
  return started
}

/** Kills the child and waits for its end. */
export async function kill(started: ReturnType<typeof start>): Promise<void> {
  const ended = once(started, 'exit')
  started.kill('SIGKILL')
  await ended
}

/** Snapshots in a directory. */
export const snapshotsIn = (directory: string): string[] =>
  fs
    .readdirSync(directory)
    .filter(name => /^shardlog-.*\.bin$/.test(name))
    .sort()
    .map(name => path.join(directory, name))

/** What is in it beside snapshots. */
export const othersIn = (directory: string): string[] =>
  fs.readdirSync(directory).filter(name => !/^shardlog-.*\.bin$/.test(name))
