/**
 * Marks of snapshots that are to be uploaded: `.<snapshot>.upload.<pid>`, of the process that is to
 * do it.
 */

import fs from 'node:fs'
import path from 'node:path'
import { isLeft } from './left'

/** What is known of a snapshot that is to be uploaded. */
export interface UploadInfo {
  service: string
  hostname: string
  /** Of the process that recorded. */
  pid: number
  reason: string
}

/** A snapshot, its mark, and what that says. */
export interface Marked {
  file: string
  mark: string
  info: UploadInfo
}

const MARK = /^\.(shardlog-.*\.bin)\.upload\.(\d+)$/

const markOf = (file: string, pid: number): string =>
  path.join(path.dirname(file), `.${path.basename(file)}.upload.${pid}`)

/** Marks a file that is about to get this name. False: the name has a mark already. */
export function putMark(file: string, info: UploadInfo, mode: number): boolean {
  try {
    fs.writeFileSync(markOf(file, process.pid), JSON.stringify(info), { flag: 'wx', mode })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

export const removeMark = (mark: string): void => fs.rmSync(mark, { force: true })

/** Takes the mark of this process from a file. */
export const unmark = (file: string): void => removeMark(markOf(file, process.pid))

function read(file: string, mark: string): Marked | null {
  try {
    const info = JSON.parse(fs.readFileSync(mark, 'utf8')) as UploadInfo
    return typeof info.service === 'string' && typeof info.hostname === 'string' ? { file, mark, info } : null
  } catch {
    // It is no longer there, or was not written as a whole; the snapshot stays where it is.
    return null
  }
}

/** What the mark of this process says of a file; null: it has none. */
export const readMark = (file: string): Marked | null => read(file, markOf(file, process.pid))

/** A mark in a directory. */
export interface Found {
  file: string
  mark: string
  pid: number
}

/** All marks in a directory; none if it cannot be read. */
export function marksIn(directory: string): Found[] {
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch {
    // There is nothing in it that could be uploaded.
    return []
  }
  return names.flatMap(name => {
    const [, snapshot, pid] = MARK.exec(name) ?? []
    if (snapshot === undefined) return []
    return [{ file: path.join(directory, snapshot), mark: path.join(directory, name), pid: Number(pid) }]
  })
}

/**
 * Makes the mark that a process of the service has left this one's; null if it is nobody's to take,
 * or another was faster. One whose snapshot is gone is removed.
 */
export function takeOver(found: Found, service: string): Marked | null {
  if (!isLeft(found.mark, found.pid)) return null
  const marked = read(found.file, found.mark)
  if (marked === null || marked.info.service !== service) return null
  if (!fs.existsSync(found.file)) {
    removeMark(found.mark)
    return null
  }
  const mark = markOf(found.file, process.pid)
  try {
    fs.renameSync(found.mark, mark)
  } catch {
    return null
  }
  return { ...marked, mark }
}

/** Removes the marks of a snapshot that is removed. */
export function removeMarksOf(file: string, found: readonly Found[]): void {
  for (const one of found) if (one.file === file) removeMark(one.mark)
}
