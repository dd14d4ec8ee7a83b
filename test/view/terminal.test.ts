import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'
import { hasTmux, Terminal } from '../support/tmux'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const START = 1_764_419_926_000

let directory: string
let file: string

beforeEach(() => {
  directory = tempDir()
  file = path.join(directory, 'app.log')
  fs.writeFileSync(file, Array.from({ length: 500 }, (_, i) => lineOf(i)).join(''))
})

function lineOf(i: number): string {
  const level = i % 100 === 99 ? 50 : 30
  return `${JSON.stringify({ level, time: START + 1000 * i, name: i % 2 === 0 ? 'db' : 'http', n: i, msg: `event ${i}` })}\n`
}

const command = (...args: string[]): string => [process.execPath, main, 'view', '-i', ...args].join(' ')

const describeInTmux = hasTmux
  ? describe
  : (name: string, tests: () => void) => describe.skip(`${name} (left out: tmux is not installed)`, tests)

describe('shardlog view --interactive, without a terminal', () => {
  const run = (args: string[], env: Record<string, string> = {}) =>
    spawnSync(process.execPath, [main, 'view', ...args], { encoding: 'utf8', env: { ...process.env, ...env } })

  it('says that it needs one', () => {
    const { status, stdout, stderr } = run(['-i', file])
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/needs a terminal.*\(ERR_SHARDLOG_TERMINAL\)/)
  })

  it('refuses what does not go with it', () => {
    expect(run(['-i', '--list', file])).toMatchObject({ status: 2 })
    expect(run(['-i', '--html', 'a.html', file])).toMatchObject({ status: 2 })
    expect(run(['-i'])).toMatchObject({ status: 2 })
  })
})

describeInTmux('shardlog view --interactive, on a terminal', () => {
  it('shows histogram, list, status and keys, and moves by them', async () => {
    const terminal = new Terminal(command(file))
    const screen = (await terminal.shows(/UTC {2}500 events/)).split('\n')
    expect(screen[0]).toMatch(/^ app\.log +2025-11-29 12:38:46 to 12:47:05 UTC {2}500 events/)
    expect(screen[1]).toMatch(/^ +\d+ │[\u2581-\u2588]/)
    expect(screen[4]).toMatch(/└▲/)
    expect(screen[5]).toMatch(/^12:38:46\.000 INFO {2}db: event 0 {2}n=0/)
    expect(screen[22]).toMatch(/ 1\/500/)
    expect(screen[23]).toMatch(/^ \? help {3}q quit/)
    terminal.press('e')
    await terminal.shows(/ 100\/500/)
    terminal.press('G')
    await terminal.shows(/ 500\/500/)
    terminal.press('E')
    await terminal.shows(/ 400\/500/)
    terminal.press('Up', 'PPage')
    await terminal.shows(/ 383\/500/)
    terminal.press('g', ']')
    await terminal.shows(/ ([2-9]|1\d)\/500/)
    terminal.press(':')
    terminal.type('12:40:00')
    terminal.press('Enter')
    await terminal.shows(/ 75\/500/)
    terminal.press('?')
    await terminal.shows(/Keys[\s\S]*the event before/)
    terminal.press('Escape')
    await terminal.shows(screen => !screen.includes('Keys'))
    terminal.press('q')
    await terminal.shows(/ended 0/)
    expect(terminal.isAlternate).toBe(false)
  })

  it('shows all of an event, searches and filters', async () => {
    const terminal = new Terminal(command(file), 120, 40)
    await terminal.shows(/500 events/)
    terminal.press('Enter')
    await terminal.shows(/^ time +2025-11-29T12:38:46\.000000000Z$/m)
    terminal.press('/')
    terminal.type('event 123')
    terminal.press('Enter')
    await terminal.shows(/\/event 123 +1 of 1 [\s\S]* 124\/500/)
    terminal.press('w')
    terminal.type('n~[05]$')
    terminal.press('Enter')
    await terminal.shows(/100 of 500 events[\s\S]*filter n~\[05\]\$ /)
    terminal.press('l')
    terminal.type('error')
    terminal.press('Enter')
    await terminal.shows(/0 of 500 events[\s\S]*no events/)
    terminal.press('l')
    terminal.press('C-u')
    terminal.type('erorr')
    terminal.press('Enter')
    await terminal.shows(/did you mean error\?/)
    terminal.press('x')
    await terminal.shows(/ 500 events[\s\S]*no filter/)
    terminal.press('t')
    await terminal.shows(/logger: \w+/)
    terminal.press('C-u')
    terminal.type('http')
    terminal.press('Enter')
    await terminal.shows(/250 of 500 events/)
    terminal.press('C-c')
    await terminal.shows(/ended 0/)
  })

  it('follows, also over a rotation', async () => {
    const terminal = new Terminal(command(file))
    await terminal.shows(/500 events/)
    terminal.press('f')
    await terminal.shows(/following[\s\S]* 500\/500/)
    fs.appendFileSync(file, lineOf(500))
    await terminal.shows(/event 500[\s\S]* 501\/501/)
    fs.renameSync(file, `${file}.1`)
    fs.writeFileSync(file, lineOf(501))
    await terminal.shows(/event 501[\s\S]* 502\/502/)
    terminal.press('Up')
    fs.appendFileSync(file, lineOf(502))
    await terminal.shows(/ 501\/503/)
  })

  it('shows what comes out of a pipe as it comes, and lets go of it', async () => {
    const pipe = path.join(directory, 'pipe')
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0)
    const terminal = new Terminal(command(pipe))
    const writer = fs.openSync(pipe, 'w')
    fs.writeSync(writer, lineOf(0))
    await terminal.shows(/1 event[\s\S]*event 0/)
    terminal.press('G')
    fs.writeSync(writer, lineOf(1))
    await terminal.shows(/event 1[\s\S]* 2\/2/)
    terminal.press('q')
    await terminal.shows(/ended 0/)
    fs.closeSync(writer)
  })

  it('fits any size', async () => {
    const terminal = new Terminal(command(file), 200, 50)
    await terminal.shows(/500 events/)
    for (const [width, height] of [
      [40, 10],
      [20, 3],
      [10, 1],
      [1, 1],
      [200, 2],
      [80, 24]
    ] as const) {
      terminal.press('Enter')
      terminal.resize(width, height)
      const lines = await terminal.shows(screen => screen.trimEnd().split('\n').length <= height && /\S/.test(screen))
      expect(lines.split('\n').every(line => line.length <= width)).toBe(true)
    }
    await terminal.shows(/500 events[\s\S]*1\/500[\s\S]*help/)
  })

  it('sends no control character of a record to the terminal', async () => {
    const evil = path.join(directory, 'evil.log')
    const msg = 'a\u001b[2J\u001b]0;title\u0007\u009b31mb \u202etxt \u0000\r\nnext'
    fs.writeFileSync(
      evil,
      `${JSON.stringify({ level: 30, time: START, msg, 'k\u001b[5m': msg })}\n\u001b[31mred 日本語 👨‍👩‍👧 שלום\n`
    )
    const terminal = new Terminal(command(evil))
    await terminal.shows(/2 events/)
    terminal.press('Enter')
    const screen = await terminal.shows(/ message +aESC\[2J/)
    expect(screen).toMatch(/aESC\[2JESC\]0;title\^G<U\+009B>31mb <U\+202E>txt \^@ next {2}kESC\[5m/)
    expect(screen).toMatch(/ESC\[31mred 日本語/)
  })

  it('has no colours with NO_COLOR', async () => {
    const terminal = new Terminal(command(file), 80, 24, { NO_COLOR: '1' })
    await terminal.shows(/500 events/)
    const parts = terminal.screen(true).split('\u001b[').slice(1)
    const codes = parts.flatMap(part => part.slice(0, part.indexOf('m')).split(';'))
    expect(codes).toContain('7')
    expect(codes.filter(code => /^(?:[349]|10)[0-8]$/.test(code))).toEqual([])
  })

  it('says that a dumb terminal is none, and gives the terminal back on every end', async () => {
    const dumb = new Terminal(`TERM=dumb ${command(file)}`)
    await dumb.shows(/ERR_SHARDLOG_TERMINAL[\s\S]*ended 1/)
    for (const [signal, ended] of [
      ['TERM', 143],
      ['HUP', 129],
      ['INT', 130]
    ] as const) {
      const pidFile = path.join(directory, `pid-${signal}`)
      const terminal = new Terminal(`sh -c 'echo $$ > ${pidFile}; exec ${command(file)}'`)
      await terminal.shows(/500 events/)
      expect(terminal.isAlternate).toBe(true)
      process.kill(Number(fs.readFileSync(pidFile, 'utf8')), `SIG${signal}`)
      await terminal.shows(new RegExp(`ended ${ended}`))
      expect(terminal.isAlternate).toBe(false)
    }
  })

  it('says which package is missing, and gives the terminal back when something throws', async () => {
    const preload = path.join(directory, 'preload.cjs')
    const withPreload = command(file).replace(main, `-r ${preload} ${main}`)
    fs.writeFileSync(
      preload,
      `const Module = require('node:module')
      const load = Module._load
      Module._load = function (name, ...rest) {
        if (name === 'terminal-kit') throw new Error("Cannot find module 'terminal-kit'")
        return load.call(this, name, ...rest)
      }`
    )
    await new Terminal(withPreload, 200).shows(/npm install terminal-kit[\s\S]*ERR_SHARDLOG_PACKAGE[\s\S]*ended 1/)
    fs.writeFileSync(preload, "setTimeout(() => { throw new Error('out of the blue') }, 1500)")
    const terminal = new Terminal(withPreload)
    await terminal.shows(/out of the blue[\s\S]*ended 1/)
    expect(terminal.isAlternate).toBe(false)
  })

  it('stops and goes on with its job', async () => {
    const terminal = new Terminal("PS1='ready> ' bash --norc -i")
    await terminal.shows(/ready>$/m)
    terminal.type(command(file))
    terminal.press('Enter')
    await terminal.shows(/500 events/)
    terminal.press('C-z')
    await terminal.shows(/Stopped/)
    expect(terminal.isAlternate).toBe(false)
    terminal.type('fg')
    terminal.press('Enter')
    await terminal.shows(/500 events[\s\S]*help/)
    terminal.press('q')
    await terminal.shows(screen => screen.trimEnd().endsWith('ready>'))
    expect(terminal.isAlternate).toBe(false)
  })
})
