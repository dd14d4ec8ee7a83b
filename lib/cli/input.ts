import { fstatSync } from 'node:fs'
import type { WithPaths } from '../path-like'
import type { ScanItem } from '../reader/items'
import type { OpenOptions } from '../reader/open-log'
import { scanLog, scanSource } from '../reader/scan-log'
import { StreamSource } from '../reader/source'
import type { VerifyReport } from '../reader/verify-log'
import { type VerifyOptions, verifyFile, verifySource } from '../reader/verify-log'

const STDIN = 0

/** Of a file name or `-` the path, null for standard input that is no file: as a file, damage can be looked behind. */
export function inputPath(name: string): string | null {
  if (name !== '-') return name
  return fstatSync(STDIN).isFile() ? '/dev/stdin' : null
}

/** Batches of a log, or of standard input for `-`. */
export function scanInput(name: string, options: OpenOptions): AsyncGenerator<ScanItem[], unknown> {
  const path = inputPath(name)
  return path === null ? scanSource(new StreamSource('-', process.stdin), options) : scanLog(path, options)
}

/** Verifies a log, or standard input for `-`. */
export function verifyInput(name: string, options: WithPaths<VerifyOptions>): Promise<VerifyReport> {
  const path = inputPath(name)
  return path === null ? verifySource(new StreamSource('-', process.stdin), options) : verifyFile(path, options)
}
