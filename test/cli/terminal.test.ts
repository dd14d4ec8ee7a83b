import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { visibleButColors, visibleBytes, visibleJson, visibleLine, visibleStrings } from '../../lib/cli/terminal'
import { makeBlock } from '../support/make-log'
import { packageRoot } from '../support/shardlog'
import { tempDir, tempLog } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
/** Runs a command on a terminal of its own and prints what the terminal was sent. */
const ON_TERMINAL = `
import os, pty, sys
def read(fd):
    return os.read(fd, 65536)
status = pty.spawn(sys.argv[1:], read)
sys.exit(os.waitstatus_to_exitcode(status))
`
const ESC = '\x1b'
const COLOR = new RegExp(`${ESC}\\[[\\d;]*[mK]`, 'g')

/** Whether Latin-1 text has controls beside newlines and tabs, be they C1 in UTF-8. */
function hasControls(text: string): boolean {
  const codes = Array.from(Buffer.from(text, 'latin1').toString(), character => character.codePointAt(0)!)
  return codes.some(code => (code < 0x20 && code !== 0x0a && code !== 0x09) || (code >= 0x7f && code < 0xa0))
}

function onTerminal(...args: string[]) {
  const { NO_COLOR: _, FORCE_COLOR: __, ...env } = process.env
  const options = { timeout: 30_000, env: { ...env, TERM: 'xterm', TZ: 'UTC' } }
  const result = spawnSync('python3', ['-c', ON_TERMINAL, process.execPath, main, ...args], options)
  // The terminal driver ends lines with a carriage return too.
  return result.stdout.toString('latin1').replaceAll('\r\n', '\n')
}

const hostile = [
  ['a colour', `${ESC}[31mred`, 'ESC[31mred'],
  ['the clipboard (OSC 52)', `${ESC}]52;c;aGk=\x07`, 'ESC]52;c;aGk=^G'],
  ['a title', `${ESC}]0;title${ESC}\\`, 'ESC]0;titleESC\\'],
  ['a carriage return', 'real\rfake', 'real^Mfake'],
  ['backspaces', 'a\b\bb', 'a^H^Hb'],
  ['C1 in UTF-8', 'x\u009b31my\u0085z', 'x<U+009B>31my<U+0085>z'],
  ['C1 as a byte', Buffer.from([0x78, 0x9b, 0x33, 0x31, 0x6d]), 'x<9B>31m'],
  ['bidi', 'a\u202eb\u2066c\u200fd\u061ce', 'a<U+202E>b<U+2066>c<U+200F>d<U+061C>e'],
  ['line separators', 'a\u2028b\u2029c', 'a<U+2028>b<U+2029>c'],
  ['what nobody sees', 'a\u200bb\ufeffc\u{e0041}d', 'a<U+200B>b<U+FEFF>c<U+E0041>d'],
  ['NUL and DEL', 'a\0b\x7fc', 'a^@b^?c'],
  ['broken UTF-8', Buffer.from([0x61, 0xc3, 0x28, 0xff, 0xe2, 0x82, 0x61]), 'a<C3>(<FF><E2><82>a']
] as const

describe('text for a terminal', () => {
  it.each(hostile)('shows %s', (_name, given, shown) => {
    expect(visibleBytes(Buffer.from(given))).toBe(shown)
  })

  it('leaves text as it is', () => {
    const text = 'tab\there, é, ключ, 日本語, 👩‍👩‍👧, नमस्ते, می‌خواهم\n'
    expect(visibleBytes(Buffer.from(text))).toBe(text)
    expect(visibleBytes(Buffer.from('dos\r\n'))).toBe('dos\n')
    expect(visibleJson(JSON.stringify(text))).toBe(JSON.stringify(text))
  })

  it('has names and messages on one line', () => {
    expect(visibleLine(`a\n${ESC}[2Jb\tc\r`)).toBe('a^JESC[2Jb^Ic^M')
  })

  it('lets colours through where they are wanted, and nothing else', () => {
    expect(visibleButColors(`${ESC}[32mINFO${ESC}[39m ${ESC}[2J${ESC}]52;c;x\x07`)).toBe(
      `${ESC}[32mINFO${ESC}[39m ESC[2JESC]52;c;x^G`
    )
  })

  it('is the same JSON', () => {
    for (const [, given] of hostile) {
      const value = { text: given.toString() }
      const json = visibleJson(JSON.stringify(value))
      expect(JSON.parse(json)).toEqual(value)
      expect(visibleBytes(Buffer.from(json))).toBe(json)
    }
  })

  it('is in the strings of JSON, however they are escaped', () => {
    const json = '{"a":"\\u001b[31m\\u009B \\\\u001b \\b\\r\\n\\t\\" \u202e","\\u001c":1}'
    const value = JSON.parse(visibleStrings(json)) as Record<string, unknown>
    expect(value).toEqual({ a: 'ESC[31m<U+009B> \\u001b ^H^M\n\t" <U+202E>', '^\\': 1 })
  })
})

describe('on a terminal', () => {
  it.each(['cat', 'tail'])('control characters are shown, out of blocks and of text (%s)', command => {
    const file = tempLog()
    const entries = hostile.map(([, given]) => Buffer.from(given))
    const shown = hostile.map(([, , text]) => `${text}\n`).join('')
    fs.writeFileSync(file, makeBlock(entries))
    expect(onTerminal(command, '-n20'.repeat(command === 'tail' ? 1 : 0) || '--', file)).toContain(shown)
    fs.writeFileSync(
      file,
      Buffer.concat(['{}', ...entries].map(entry => Buffer.concat([Buffer.from(entry), Buffer.from('\n')])))
    )
    expect(onTerminal(command, '-n20'.repeat(command === 'tail' ? 1 : 0) || '--', file)).toContain(shown)
  })

  it('--raw gives bytes as they are, as pipes are given them', () => {
    const file = tempLog()
    const text = `${ESC}[31mred${ESC}[0m\x07\u009b\n`
    fs.writeFileSync(file, makeBlock([text]))
    for (const command of ['cat', 'tail']) {
      expect(onTerminal(command, '--raw', file)).toBe(Buffer.from(text).toString('latin1'))
      const piped = spawnSync(process.execPath, [main, command, file])
      expect(piped.stdout.toString()).toBe(text)
    }
  })

  it('--pretty has colours of its own and none of what was logged', () => {
    const file = tempLog()
    const msg = `m${ESC}[2J${ESC}]52;c;x\x07\u009b\u202e\r`
    const line = JSON.stringify({ level: 30, time: 1, msg, key: `${ESC}[8mhidden` })
    fs.writeFileSync(file, `${line}\nno json ${ESC}[2J\n{"level":{},"msg":"\\u001b[2J"}\n`)
    const printed = onTerminal('cat', '--pretty', file)
    expect(printed).toContain(`${ESC}[32mINFO`)
    expect(hasControls(printed.replaceAll(COLOR, ''))).toBe(false)
    expect(printed).toContain('mESC[2JESC]52;c;x^G<U+009B><U+202E>^M')
    expect(printed).toContain('ESC[8mhidden')
    expect(printed).toContain('no json ESC[2J\n')
  })

  it('--json escapes what JSON leaves as it is', () => {
    const file = tempLog()
    fs.writeFileSync(file, makeBlock(['a\u009b\u202eb']))
    expect(onTerminal('cat', '--json', file)).toContain('"a\\u009b\\u202eb"')
  })

  it.each(['cat', 'tail', 'verify', 'stats', 'recover'])('names of files are one harmless line (%s)', command => {
    const folder = tempDir()
    const name = path.join(folder, `a\n${ESC}]52;c;x\x07\u009b.log`)
    fs.writeFileSync(name, Buffer.concat([makeBlock(['x']), Buffer.from('some text of another program')]))
    fs.writeFileSync(`${name}2`, makeBlock(['y']))
    for (const args of [
      [name],
      [name, `${name}2`],
      [`${name}3`],
      ['--json', name],
      ['--nonsense', name],
      ['-', name, '-']
    ]) {
      const printed = onTerminal(command, ...args)
      expect(hasControls(printed.replaceAll(COLOR, ''))).toBe(false)
      expect(printed).not.toMatch(/\nESC/)
    }
  })
})
