import path from 'node:path'
import { readArenaFile } from '../recorder/arena'
import { resolveOptions } from '../recorder/options'
import { writeSnapshot } from '../recorder/snapshot'
import { type Command, EXIT_FAILED, EXIT_OK, helpOf, parseCommand, requireFiles, UsageError } from './command'
import { FdWriter } from './output'
import { say } from './terminal'

const HELP = `Usage: shardlog snapshot [options] ARENA...

Writes a snapshot of the events that a flight recorder holds, and prints its file's name. ARENA is the recorder's file, by default
.SERVICE.recorder in the directory of its snapshots. Its process may be dead, run or hang: it is not stopped, nor does it notice. The
file stays; the recorder that starts with it next makes a snapshot of its own.

${helpOf(
  19,
  ['--directory DIR', 'where to write it; default the directory of ARENA'],
  ['--reason TEXT', "why, for the file's name; default 'external'"],
  ['-h, --help', 'this text']
)}

Examples:
  shardlog snapshot /var/lib/shop/.shop.recorder          what does the process do that answers no more?
  shardlog view "$(shardlog snapshot .shop.recorder)"     the same at a glance
`

const OPTIONS = { directory: { type: 'string' }, reason: { type: 'string' } } as const

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const { directory, reason = 'external' } = values
  if (directory === '') throw new UsageError('--directory takes a directory')
  const files = requireFiles(positionals)
  const writer = new FdWriter(1)
  let code = EXIT_OK
  for (const file of files) {
    try {
      const place = resolveOptions({ directory: directory ?? path.dirname(path.resolve(file)), retention: false })
      const written = await writeSnapshot({ arena: readArenaFile(file), reason, minAge: 0 }, place)
      await writer.write(Buffer.from(`${written}\n`))
    } catch (error) {
      say((error as Error).message)
      code = EXIT_FAILED
    }
  }
  return code
}

export const snapshot: Command = {
  name: 'snapshot',
  summary: 'write a snapshot of a flight recorder, from outside its process',
  help: HELP,
  run
}
