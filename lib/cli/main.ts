#!/usr/bin/env node
import { nearestName, ShardlogError } from '../errors'
import { version } from '../own-place'
import { cat } from './cat'
import { type Command, EXIT_FAILED, EXIT_OK, EXIT_USAGE, UsageError } from './command'
import { config } from './config'
import { metrics } from './metrics'
import { FdWriter, OutputClosed } from './output'
import { query } from './query'
import { ship } from './ship'
import { snapshot } from './snapshot'
import { tail } from './tail'
import { say } from './terminal'
import { recover, stats, verify } from './verify'
import { view } from './view'

const COMMANDS: readonly Command[] = [cat, tail, verify, recover, stats, view, query, snapshot, metrics, config, ship]

const HELP = `Usage: shardlog COMMAND [options] FILE...

${COMMANDS.map(command => `  ${command.name.padEnd(10)}${command.summary}`).join('\n')}

FILE is a log: blocks of entries, or lines of text as any JSON logger writes them. What a process has logged and not
written yet waits in the log's arena, a file that survives the process; all commands know of it.

'shardlog COMMAND --help' says more, with examples. Exit codes: 0 fine, 1 corrupt or failed, 2 wrong usage.
  -h, --help     this text
  --version      the version
`

/** @throws UsageError */
function commandNamed(name: string): Command {
  const names = COMMANDS.map(command => command.name)
  const found = COMMANDS.find(command => command.name === name)
  if (found) return found
  const near = nearestName(name, names)
  throw new UsageError(`unknown command ${name}${near ? `; did you mean ${near}?` : ''}`)
}

async function dispatch(args: string[]): Promise<number> {
  const out = new FdWriter(1)
  const [name, ...rest] = args
  if (name === undefined) throw new UsageError('no command given')
  if (name === '--help' || name === '-h' || name === 'help') {
    const [topic] = rest
    await out.write(Buffer.from(topic === undefined ? HELP : commandNamed(topic).help))
    return EXIT_OK
  }
  if (name === '--version') {
    await out.write(Buffer.from(`${version}\n`))
    return EXIT_OK
  }
  const command = commandNamed(name)
  const end = rest.indexOf('--')
  const before = end < 0 ? rest : rest.slice(0, end)
  if (before.includes('--help') || before.includes('-h')) {
    await out.write(Buffer.from(command.help))
    return EXIT_OK
  }
  return command.run(rest)
}

function messageOf(error: Error & { code?: string }): string {
  return error instanceof ShardlogError ? `${error.message} (${error.code})` : error.message
}

async function main(): Promise<number> {
  try {
    return await dispatch(process.argv.slice(2))
  } catch (error) {
    if (error instanceof OutputClosed) return EXIT_OK
    if (error instanceof UsageError) {
      say(error.message)
      process.stderr.write('Try: shardlog --help\n')
      return EXIT_USAGE
    }
    say(messageOf(error as Error))
    return EXIT_FAILED
  }
}

// Whoever reads our complaints may have gone, as with 2>&1 | head; that is no failure.
process.stderr.on('error', () => undefined)

void main().then(code => {
  process.exitCode = code
})
