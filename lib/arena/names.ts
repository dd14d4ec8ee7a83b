import path from 'node:path'

const SUFFIX = '.arena'
/** What a name has to leave of the 255 bytes that file systems allow, for the marks that are added to it. */
const LONGEST_STEM = 200
const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n

/** FNV-1a, 64 bits, in hexadecimal. */
function hash(text: string): string {
  let hash = FNV_OFFSET
  for (const byte of Buffer.from(text)) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME)
  return hash.toString(16).padStart(16, '0')
}

/** A file name for `stem`, or for a hash of it if it is too long for one. */
const hiddenName = (stem: string): string =>
  `.${Buffer.byteLength(stem) <= LONGEST_STEM ? stem : `shardlog-${hash(stem)}`}${SUFFIX}`

/** A path as a file name, one to one. */
const escaped = (file: string): string => file.replaceAll('%', '%25').replaceAll('/', '%2F')

/**
 * Where the file of a log's arena lies, or would: `dir/.app.log.arena` for `dir/app.log`; in `arenaDir`, if one is given, under a name
 * that tells the log's whole path.
 */
export function fileArenaPath(logPath: string, arenaDir?: string): string {
  const { dir, base } = path.parse(logPath)
  return arenaDir === undefined
    ? path.join(dir, hiddenName(base))
    : path.join(arenaDir, hiddenName(escaped(path.resolve(logPath))))
}

/** Where it lay before: `dir/app.log.arena`. */
export const oldArenaPath = (logPath: string): string => `${logPath}${SUFFIX}`
