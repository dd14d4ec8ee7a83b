import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'

/** A directory that is removed when the test is over. */
export function tempDir(): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-test-'))
  onTestFinished(() => fs.rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** The path of a log in a directory of its own. */
export const tempLog = (): string => path.join(tempDir(), 'app.log')
