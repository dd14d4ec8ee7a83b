import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { makeBlock } from '../support/make-log'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const pinoPath = require.resolve('pino')
let file: string

beforeEach(() => {
  file = tempLog()
})

function run(args: string[], options: { input?: string | Buffer; env?: NodeJS.ProcessEnv } = {}) {
  const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = process.env
  const env = { ...rest, ...options.env }
  const cwd = path.dirname(file)
  const result = spawnSync(process.execPath, [main, ...args], { input: options.input, env, cwd, timeout: 30_000 })
  return { code: result.status, out: result.stdout.toString('latin1'), err: result.stderr.toString() }
}

function shell(command: string) {
  const result = spawnSync('bash', ['-c', command, process.execPath, main, file], { timeout: 30_000 })
  return { code: result.status, out: result.stdout.toString(), err: result.stderr.toString() }
}

/** Leaves `written` lines in the file and `waiting` in the arena of a process that was killed. */
function killWithLines(written: number, waiting: number): void {
  const script = `
    const destination = shardlog.destination(config)
    const log = shardlog({ base: null, timestamp: false }, destination)
    for (let i = 0; i < ${written}; i++) log.info({ i }, 'm')
    destination.flushSync()
    for (let i = ${written}; i < ${written + waiting}; i++) log.info({ i }, 'm')
    process.kill(process.pid, 'SIGKILL')`
  const config = { dest: file, format: 'ndjson', flushInterval: 0 }
  const child = spawnSync(process.execPath, ['-e', prelude(config) + script], { timeout: 30_000 })
  expect(child.signal).toBe('SIGKILL')
}

const line = (i: number) => `{"level":30,"i":${i},"msg":"m"}\n`
const lines = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => line(from + i)).join('')

describe('shardlog of a file of lines', () => {
  it('prints it byte for byte, with a newline at its end', () => {
    const bytes = Buffer.from(`${line(0)}\r\n\n{"a":"\0\xff"}\nno json\nthe end`, 'latin1')
    fs.writeFileSync(file, bytes)
    expect(run(['cat', file])).toEqual({ code: 0, out: `${bytes.toString('latin1')}\n`, err: '' })
    expect(run(['cat', '-'], { input: bytes }).out).toBe(`${bytes.toString('latin1')}\n`)
    expect(run(['cat', file, file]).out).toBe(`${bytes.toString('latin1')}\n`.repeat(2))
    expect(run(['tail', '-n', '2', file]).out).toBe('no json\nthe end\n')
  })

  it('prints lines larger than any buffer, in memory that is not', () => {
    fs.writeFileSync(file, line(0))
    fs.truncateSync(file, 200 * 1024 * 1024)
    fs.appendFileSync(file, `\n${line(1)}`)
    const limited = `"$0" --max-old-space-size=64 "$1" cat "$2" | cmp - "$2" && echo same`
    expect(shell(limited)).toEqual({ code: 0, out: 'same\n', err: '' })
    expect(run(['cat', '--json', file])).toMatchObject({ code: 1, err: expect.stringContaining('too long') })
    expect(run(['tail', '-n', '1', file])).toMatchObject({ code: 0, out: line(1) })
  })

  it('reports a last line that is cut off, and prints it if asked to', () => {
    fs.writeFileSync(file, `${line(0)}{"level":3`)
    const { code, out, err } = run(['cat', file])
    expect({ code, out }).toEqual({ code: 1, out: line(0) })
    expect(err).toMatch(/offset 29, 10 bytes: torn-tail/)
    expect(run(['cat', '--salvage', file])).toMatchObject({ code: 1, out: `${line(0)}{"level":3\n` })
  })

  it('merges files by the times of their lines', () => {
    const other = `${file}2`
    const at = (time: number) => `{"time":${time}}\n`
    fs.writeFileSync(file, at(1) + at(4))
    fs.writeFileSync(other, at(2) + at(3))
    expect(run(['cat', '--order', 'time', file, other]).out).toBe([1, 2, 3, 4].map(at).join(''))
  })

  it('tells what is no log, and takes it for what it is told', () => {
    fs.writeFileSync(file, Buffer.from('1f9d0800000000000003cbcf', 'hex'))
    for (const command of ['cat', 'tail', 'verify', 'stats']) {
      expect(run([command, file])).toMatchObject({ code: 1, err: expect.stringContaining('(ERR_SHARDLOG_FORMAT)') })
    }
    expect(run(['tail', '-f', file])).toMatchObject({ code: 1, err: expect.stringContaining('(ERR_SHARDLOG_FORMAT)') })
    expect(run(['verify', '--format', 'ndjson', file]).out).toMatch(/of text, 1 line\n/)
    expect(run(['verify', '--format', 'json', file])).toMatchObject({
      code: 2,
      err: expect.stringContaining("'ndjson'")
    })
    fs.writeFileSync(file, makeBlock(['a']))
    expect(run(['cat', '--format', 'ndjson', file]).out.length).toBe(513)
  })

  it('verifies it: lines, times, and what is wrong where', () => {
    fs.writeFileSync(file, '{"time":1700000000000}\n{}\n')
    expect(run(['verify', file])).toEqual({
      code: 0,
      out: `${file}: 26 bytes of text, 2 lines\n  time: 2023-11-14T22:13:20.000000000Z to 2023-11-14T22:13:20.000000000Z\n  fine\n`,
      err: ''
    })
    fs.appendFileSync(file, 'no json\n')
    const { code, out } = run(['verify', file])
    expect(code).toBe(1)
    expect(out).toMatch(/offset 26, 8 bytes: bad-line: a line that is no JSON/)
    expect(JSON.parse(run(['verify', '--json', file]).out)).toMatchObject({ format: 'ndjson', ok: false, entries: 3 })
  })

  it('tells of, shows and recovers what a killed process left behind', async () => {
    killWithLines(3, 4)
    expect(run(['cat', file])).toMatchObject({
      code: 0,
      out: lines(0, 7),
      err: expect.stringContaining('4 entries wait')
    })
    expect(run(['verify', file])).toMatchObject({ code: 0, err: expect.stringContaining('4 entries wait') })
    expect(run(['stats', file]).out).toMatch(/of text, 3 lines\n[\s\S]*waiting: 4 entries, 116 bytes\n[\s\S]*dead/)
    expect(JSON.parse(run(['stats', '--json', file]).out)).toMatchObject({ entries: 3, arena: { entries: 4 } })
    const tail = spawn(process.execPath, [main, 'tail', '-f', '-n', '5', file])
    onTestFinished(() => void tail.kill('SIGKILL'))
    let shown = ''
    const until = async (text: string) => {
      while (!shown.includes(text)) shown += (await once(tail.stdout, 'data'))[0]
    }
    await until(line(6))
    expect(run(['recover', file])).toMatchObject({ code: 0, out: expect.stringContaining('recovered 4 entries') })
    fs.appendFileSync(file, line(7))
    await until(line(7))
    tail.kill('SIGINT')
    expect((await once(tail, 'exit'))[0]).toBe(0)
    expect(shown).toBe(lines(2, 8))
    expect(run(['cat', file])).toEqual({ code: 0, out: lines(0, 8), err: '' })
  })

  it("takes another logger's lines: pino's own", () => {
    const script = `
      const pino = require(${JSON.stringify(pinoPath)})
      const log = pino(pino.destination({ dest: ${JSON.stringify(file)}, sync: true }))
      for (let i = 0; i < 20; i++) log.info({ i, 'ключ': 'é' }, 'of pino')`
    spawnSync(process.execPath, ['-e', script])
    const text = fs.readFileSync(file)
    expect(run(['cat', file]).out).toBe(text.toString('latin1'))
    expect(run(['verify', file])).toMatchObject({ code: 0, out: expect.stringMatching(/20 lines[\s\S]*fine/) })
    expect(run(['tail', '-n', '1', file]).out).toMatch(/"i":19/)
  })

  it('ends quietly when its reader does', () => {
    fs.writeFileSync(file, lines(0, 100_000))
    for (const command of ['cat "$2"', 'cat --json "$2"', 'cat --pretty "$2"', 'tail -n 50000 "$2"']) {
      expect(shell(`"$0" "$1" ${command} | head -n 1 | wc -l; exit "\${PIPESTATUS[0]}"`)).toEqual({
        code: 0,
        out: '1\n',
        err: ''
      })
    }
  })

  it('goes on if nobody reads its complaints', () => {
    const blocks = Array.from({ length: 1000 }, (_, i) => makeBlock([`${i}`], { sequence: BigInt(i) }))
    for (const [i, block] of blocks.entries()) if (i % 2 === 1) block[12]! ^= 1
    fs.writeFileSync(file, Buffer.concat(blocks))
    expect(shell('"$0" "$1" cat "$2" 2> >(true) | wc -l')).toMatchObject({ out: '500\n' })
  })
})

describe('--pretty', () => {
  const pretty = '[22:13:20.000] INFO (7): hello\n    user: 5\n'
  const plain = '{"level":30,"time":1700000000000,"pid":7,"hostname":"h","user":5,"msg":"hello"}\n'
  const utc = { TZ: 'UTC' }

  it.each(['cat', 'tail'])('prints readable lines, of a text and of blocks (%s)', command => {
    fs.writeFileSync(file, `${plain}no json\n`)
    expect(run([command, '--pretty', file], { env: utc })).toEqual({ code: 0, out: `${pretty}no json\n`, err: '' })
    fs.writeFileSync(file, makeBlock([plain, 'two\nlines', plain.repeat(2)]))
    expect(run([command, '--pretty', file], { env: utc }).out).toBe(`${pretty}two\nlines\n${pretty.repeat(2)}`)
  })

  it('has colours if asked for, or where the environment says so', () => {
    fs.writeFileSync(file, plain)
    const green = '\x1b[32mINFO\x1b[39m'
    expect(run(['cat', '--pretty', '--color', file]).out).toContain(green)
    expect(run(['cat', '--pretty', file], { env: { FORCE_COLOR: '1' } }).out).toContain(green)
    expect(run(['cat', '--pretty', '--no-color', file], { env: { FORCE_COLOR: '1' } }).out).not.toContain('\x1b')
    expect(run(['cat', '--pretty', file]).out).not.toContain('\x1b')
  })

  it("takes pino-pretty's configuration file", () => {
    fs.writeFileSync(file, plain + plain.replace('30', '50'))
    const config = path.join(path.dirname(file), '.pino-prettyrc')
    fs.writeFileSync(config, '{ // as pino-pretty has it\n "ignore": "pid,hostname,time", "minimumLevel": "error" }')
    expect(run(['cat', '--pretty', file]).out).toBe('ERROR: hello\n    user: 5\n')
    fs.writeFileSync(config, '{ broken')
    expect(run(['cat', '--pretty', file])).toMatchObject({ code: 1, err: expect.stringContaining('.pino-prettyrc') })
    fs.rmSync(config)
    spawnSync('mkfifo', [config])
    expect(run(['cat', '--pretty', file])).toMatchObject({
      code: 1,
      err: expect.stringContaining('not a regular file')
    })
  })

  it('runs no code of the working directory, unless it is named', () => {
    const folder = path.dirname(file)
    fs.writeFileSync(file, plain)
    const planted = path.join(folder, 'node_modules', 'pino-pretty')
    fs.mkdirSync(planted, { recursive: true })
    fs.writeFileSync(path.join(planted, 'index.js'), "console.log('planted')")
    for (const name of ['pino-pretty.config.js', 'pino-pretty.config.cjs']) {
      fs.writeFileSync(path.join(folder, name), "console.log('planted'); module.exports = { singleLine: true }")
      const { code, out, err } = run(['cat', '--pretty', file], { env: utc })
      expect({ code, out }).toEqual({ code: 0, out: pretty })
      expect(err).toContain(`${name} is code, and not run unless asked for`)
    }
    const named = run(['cat', '--pretty', '--config', 'pino-pretty.config.cjs', file], { env: utc })
    expect(named).toMatchObject({ code: 0, out: expect.stringContaining('INFO (7): hello {"user":5}\n'), err: '' })
    expect(named.out).toContain('planted')
    fs.writeFileSync(path.join(folder, 'options.json'), '{"singleLine":true}')
    expect(run(['tail', '--pretty', '--config', 'options.json', file]).out).toContain('hello {"user":5}\n')
    expect(run(['cat', '--pretty', '--config', 'none.cjs', file])).toMatchObject({ code: 1, out: '' })
    expect(run(['cat', '--config', 'options.json', file]).code).toBe(2)
  })

  it('does not take pino-pretty from the working directory where it is installed nowhere else', () => {
    const folder = path.dirname(file)
    const copy = path.join(folder, 'elsewhere', 'node_modules', 'shardlog')
    const here = path.join(folder, 'here')
    for (const name of ['dist', 'lib/tools.js', 'package.json'])
      fs.cpSync(path.join(packageRoot, name), path.join(copy, name), { recursive: true })
    const planted = path.join(here, 'node_modules', 'pino-pretty')
    fs.mkdirSync(planted, { recursive: true })
    fs.writeFileSync(path.join(planted, 'index.js'), "console.log('planted')")
    fs.writeFileSync(file, plain)
    const args = [path.join(copy, 'dist', 'cli', 'main.js'), 'cat', '--pretty', file]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: here })
    expect({ status, out: stdout.toString() }).toEqual({ status: 1, out: '' })
    expect(stderr.toString()).toContain('ERR_SHARDLOG_NO_PRETTY')
    const load = path.join(copy, 'dist', 'pretty.js')
    const script = `console.log(require(${JSON.stringify(load)}).hasPinoPretty())`
    // Behind code that is given on the command line, a path is an argument and no program.
    for (const args of [[], [path.join(planted, 'index.js')]]) {
      expect(spawnSync(process.execPath, ['-e', script, ...args], { cwd: here }).stdout.toString()).toBe('false\n')
    }
    fs.writeFileSync(path.join(here, 'program.js'), script)
    const program = spawnSync(process.execPath, ['here/program.js'], { cwd: folder })
    expect(program.stdout.toString()).toBe('true\n')
  })

  it.each(['cat', 'tail'])('prints a line that pino-pretty throws on as it is, the others readable (%s)', command => {
    const deep = `{"level":30,"body":${'{"a":'.repeat(1001)}1${'}'.repeat(1001)}}\n`
    const list = `{"level":30,"body":${'['.repeat(20_000)}${']'.repeat(20_000)}}\n`
    const odd = [
      '{"level":{}}\n',
      '{"level":[],"msg":{}}\n',
      '{"level":30,"err":{"stack":5,"type":"Error"}}\n',
      'null\n',
      '5\n'
    ]
    for (const line of [...odd, deep, list]) {
      fs.writeFileSync(file, `${plain}${line}${plain}`)
      const { code, out, err } = run([command, '--pretty', file], { env: utc })
      expect({ code, err }).toEqual({ code: 0, err: '' })
      expect(out.startsWith(pretty) && out.endsWith(pretty) && out.length > 2 * pretty.length).toBe(true)
    }
    fs.writeFileSync(file, '{"level":{}}\n')
    expect(run([command, '--pretty', file]).out).toBe('{"level":{}}\n')
  })

  it('excludes --json, and colours without it make no sense', () => {
    expect(run(['cat', '--pretty', '--json', file]).code).toBe(2)
    expect(run(['tail', '--color', file]).code).toBe(2)
    expect(run(['cat', '--pretty', '--color', '--no-color', file]).code).toBe(2)
  })

  it('says what to install where pino-pretty is missing', () => {
    const copy = path.join(path.dirname(file), 'node_modules', 'shardlog')
    for (const name of ['dist', 'lib/tools.js', 'package.json'])
      fs.cpSync(path.join(packageRoot, name), path.join(copy, name), { recursive: true })
    fs.writeFileSync(file, plain)
    const args = [path.join(copy, 'dist', 'cli', 'main.js'), 'cat', '--pretty', file]
    const { status, stderr } = spawnSync(process.execPath, args, { cwd: path.dirname(file) })
    expect(status).toBe(1)
    expect(stderr.toString()).toMatch(/npm install pino-pretty.*\(ERR_SHARDLOG_NO_PRETTY\)/)
  })
})
