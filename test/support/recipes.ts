import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'

const root = path.join(__dirname, '..', '..')

/**
 * Programs of a document by their file names: blocks of JavaScript whose first line is a comment
 * with a name.
 */
export function programsOf(document: string): Map<string, string> {
  const text = fs.readFileSync(path.join(root, document), 'utf8')
  const blocks = [...text.matchAll(/^```js\n(\/\/ ([\w.-]+\.js)\n[\s\S]*?)^```$/gm)]
  return new Map(blocks.map(match => [match[2] as string, match[1] as string]))
}

/** Writes a program of a document into a folder, as it is printed. Returns its path. */
export function writeProgram(directory: string, name: string, document = 'docs/guide/recipes.md'): string {
  const text = programsOf(document).get(name)
  if (text === undefined) throw new Error(`${document} has no program ${name}`)
  const file = path.join(directory, name)
  fs.writeFileSync(file, text)
  return file
}

/** A line of an NDJSON log. */
export interface Line {
  msg: string
  [key: string]: unknown
}

export const linesOf = (file: string): Line[] =>
  fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(text => JSON.parse(text) as Line)

const POLL_MS = 20

/**
 * Waits until a log has a line whose message is this, or matches it. The time limit is that of the
 * test.
 */
export async function lineWith(file: string, msg: string | RegExp): Promise<Line> {
  const matches = (text: string) => (typeof msg === 'string' ? text === msg : msg.test(text))
  for (;;) {
    const text = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : ''
    // A last line without its end is still being written.
    const whole = text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter(Boolean)
    const found = whole.map(line => JSON.parse(line) as Line).find(line => matches(line.msg))
    if (found) return found
    await new Promise(resolve => setTimeout(resolve, POLL_MS))
  }
}

/**
 * Starts a server of the recipes on any free port, in the program's folder; it is killed when the
 * test is over.
 */
export function startServer(file: string): ChildProcess {
  const env = { ...process.env, PORT: '0' }
  const child = spawn(process.execPath, [file], {
    cwd: path.dirname(file),
    env,
    stdio: ['ignore', 'inherit', 'inherit']
  })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  return child
}
