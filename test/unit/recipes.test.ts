import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { linesOf, lineWith, programsOf, startServer, writeProgram } from '../support/recipes'
import { tempDir } from '../support/temp'

const root = path.join(__dirname, '..', '..')

/** A folder in which `require('shardlog')` finds the package. */
function folder(): string {
  const directory = tempDir()
  fs.mkdirSync(path.join(directory, 'node_modules'))
  fs.symlinkSync(root, path.join(directory, 'node_modules', 'shardlog'))
  return directory
}

/** Such a folder with a program of the recipes. */
function project(name: string): { directory: string; file: string; log: string } {
  const directory = folder()
  return { directory, file: writeProgram(directory, name), log: path.join(directory, 'app.log') }
}

/** The block without a language that follows a program in a document: what it prints. */
function printedAfter(document: string, program: string): string {
  const text = fs.readFileSync(path.join(root, document), 'utf8')
  const output = text.slice(text.indexOf(program) + program.length).match(/^```\n\n```\n([\s\S]*?)^```$/m)?.[1]
  if (output === undefined) throw new Error(`${document} does not say what the program prints`)
  return output
}

function run(directory: string, ...args: string[]) {
  return spawnSync(process.execPath, args, { cwd: directory, encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' })
}

const messages = (file: string) => linesOf(file).map(line => line.msg)

describe('recipe', () => {
  it('programs are all tested', () => {
    const tests = ['test/unit/recipes.test.ts', 'test/package/recipes.test.ts'].map(name =>
      fs.readFileSync(path.join(root, name), 'utf8')
    )
    const names = [...programsOf('docs/guide/recipes.md').keys()]
    expect(names.length).toBeGreaterThan(6)
    expect(names.filter(name => !tests.some(text => text.includes(`'${name}'`)))).toEqual([])
  })

  it('of logrotate writes each line to the file that has the path at that time', () => {
    const { directory, file, log } = project('rotated.js')
    const { status, stdout, stderr } = run(directory, file)
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: '1\n', stderr: '' })
    expect(messages(`${log}.1`)).toEqual(['before the rotation'])
    expect(messages(log)).toEqual(['after the rotation'])
  })

  it('of SIGTERM ends by itself with all lines in the file', async () => {
    const { file, log } = project('sigterm.js')
    const child = startServer(file)
    await lineWith(log, 'listening')
    child.kill('SIGTERM')
    expect(await once(child, 'exit')).toEqual([0, null])
    expect(messages(log)).toEqual(['listening', 'stopping', 'stopped'])
    expect(fs.existsSync(path.join(path.dirname(log), '.app.log.arena'))).toBe(false)
  })

  it('of Prometheus serves the counters', async () => {
    const { file, log } = project('metrics.js')
    startServer(file)
    const { port } = await lineWith(log, 'listening')
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    const text = await response.text()
    expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=1\.0\.0/)
    expect(text).toMatch(/^shardlog_calls_total\{path="[^"]+app\.log"\} 2$/m)
    expect(text).toMatch(/^shardlog_dropped_total\{path="[^"]+"\} 0$/m)
    expect(text).toMatch(/^# EOF$/m)
  })

  it('of prom-client serves the counters beside the program’s own', async () => {
    const { directory, file, log } = project('prom-client.js')
    fs.symlinkSync(path.join(root, 'node_modules', 'prom-client'), path.join(directory, 'node_modules', 'prom-client'))
    startServer(file)
    const { port } = await lineWith(log, 'listening')
    const response = await fetch(`http://127.0.0.1:${port}/metrics`)
    const text = await response.text()
    expect(text).toMatch(/^scrapes_total 1$/m)
    expect(text).toMatch(/^shardlog_calls_total\{service="shop",path="[^"]+app\.log"\} 2$/m)
  })

  it('of worker threads has the lines of all threads in one file', () => {
    const { directory, file, log } = project('workers.js')
    expect(run(directory, file)).toMatchObject({ status: 0, stderr: '' })
    const lines = linesOf(log)
    const stepsOf = (thread: string) => lines.filter(line => line.thread === thread).map(line => line.i)
    expect(stepsOf('a')).toEqual([0, 1, 2])
    expect(stepsOf('b')).toEqual([0, 1, 2])
    expect(lines.at(-1)).toMatchObject({ thread: 'main', msg: 'all workers are done' })
  })

  it('of a test is a test that passes, and fails if the code logs something else', () => {
    const { directory, file } = project('orders.test.js')
    expect(run(directory, '--test', file).status).toBe(0)
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace("}, 'order placed')", "}, 'order lost')"))
    expect(run(directory, '--test', file).status).toBe(1)
  })

  it('of a crash shows the line of the killed process, and recovers it', () => {
    const { directory, file, log } = project('killed.js')
    expect(run(directory, file).signal).toBe('SIGKILL')
    const command = path.join(root, 'dist', 'cli', 'main.js')
    expect(run(directory, command, 'cat', 'app.log').stdout).toContain('the last words')
    expect(run(directory, command, 'recover', 'app.log').status).toBe(0)
    expect(messages(log)).toEqual(['the last words'])
    expect(fs.existsSync(path.join(directory, '.app.log.arena'))).toBe(false)
  })
})

describe('program', () => {
  it.each([
    ['docs/guide/getting-started.md', 'structured.js'],
    ['docs/guide/getting-started.md', 'raw.js'],
    ['docs/guide/migrating-from-winston.md', 'as-winston.js']
  ])('of %s prints what the page says: %s', (document, name) => {
    const directory = folder()
    const file = writeProgram(directory, name, document)
    const expected = printedAfter(document, fs.readFileSync(file, 'utf8'))
    const { stdout, stderr } = run(directory, file)
    expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: '' })
  })

  it('of the page on getting started writes a file, which the next one reads', () => {
    const directory = folder()
    const page = 'docs/guide/getting-started.md'
    expect(run(directory, writeProgram(directory, 'file.js', page))).toMatchObject({
      status: 0,
      stdout: '',
      stderr: ''
    })
    const line = fs.readFileSync(path.join(directory, 'app.log'), 'utf8')
    expect(JSON.parse(line)).toMatchObject({ name: 'audit', order: { id: 7, items: ['A-1'] }, msg: 'order placed' })
    expect(run(directory, writeProgram(directory, 'read.js', page)).stdout).toBe(`${line}true\n`)
  })

  it('of README.md prints what it says, but for time, process and host', () => {
    const text = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
    const program = text.match(/^```js\n([\s\S]*?)^```$/m)?.[1] as string
    const directory = folder()
    fs.writeFileSync(path.join(directory, 'readme.js'), program)
    const plain = (lines: string) => lines.replace(/"time":\d+,"pid":\d+,"hostname":"[^"]*"/g, '')
    const { stdout, stderr } = run(directory, 'readme.js')
    expect({ stdout: plain(stdout), stderr }).toEqual({ stdout: plain(printedAfter('README.md', program)), stderr: '' })
  })
})
