import { readdirSync } from 'node:fs'
import path from 'node:path'
import { arenaPaths } from '../arena/locate'

/** What the name of an arena is followed by when it is set aside; the time follows that. */
const ASIDE = '.aside-'

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return [] // A folder that is not there, or not to be read, has none for us.
  }
}

/** Arenas of a log that were set aside because they could not be trusted; `arenaDir` as in Config. */
export function asideArenas(logPath: string, arenaDir?: string): string[] {
  const found = arenaPaths(logPath, arenaDir).flatMap(place => {
    const prefix = path.basename(place) + ASIDE
    const folder = path.dirname(place)
    return namesIn(folder).flatMap(name => (name.startsWith(prefix) ? [path.join(folder, name)] : []))
  })
  return [...new Set(found)].sort()
}
