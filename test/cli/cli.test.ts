import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { lines, makeBlock } from '../support/make-log'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
let file: string

beforeEach(() => {
  file = tempLog()
})

function run(args: string[], input?: Buffer) {
  const result = spawnSync(process.execPath, [main, ...args], { input, timeout: 30_000 })
  return { code: result.status, out: result.stdout.toString('latin1'), err: result.stderr.toString() }
}

/** Leaves `count` entries in the arena of a process that was killed. */
function killWithEntries(count: number) {
  const config = { logFilePath: file, engine: 'native', flushInterval: 0 }
  const script = `
    const logger = new Logger(config)
    for (let i = 0; i < ${count}; i++) logger.log('entry ' + i)
    process.kill(process.pid, 'SIGKILL')`
  return spawnSync(process.execPath, ['-e', prelude(config) + script], { timeout: 30_000 })
}

describe('shardlog', () => {
  it('answers --help and --version, and --help of each command', () => {
    expect(run(['--help'])).toMatchObject({ code: 0, out: expect.stringContaining('recover') })
    expect(run(['--version']).out).toMatch(/^\d+\.\d+\.\d+\n$/)
    for (const name of ['cat', 'tail', 'verify', 'recover', 'stats']) {
      expect(run([name, '--help'])).toMatchObject({ code: 0, out: expect.stringContaining(`Usage: shardlog ${name}`) })
      expect(run([name, '--help']).out).toMatch(new RegExp(`\nExamples:\n.*shardlog ${name} `))
      expect(run(['help', name]).out).toBe(run([name, '--help']).out)
    }
  })

  it('exits with 2 and a hint when used wrongly', () => {
    const wrong = (...args: string[]) => run(args)
    expect(wrong()).toMatchObject({ code: 2, err: expect.stringContaining('no command') })
    expect(wrong('cta')).toMatchObject({ code: 2, err: expect.stringContaining('did you mean cat') })
    expect(wrong('cat')).toMatchObject({ code: 2, err: expect.stringContaining('no log file') })
    expect(wrong('cat', '--jsn', file)).toMatchObject({ code: 2, err: expect.stringContaining('did you mean --json') })
    expect(wrong('tail', '-x', file)).toMatchObject({ code: 2, err: expect.stringContaining('unknown option -x') })
    expect(wrong('tail', '-n', 'many', file)).toMatchObject({ code: 2, err: expect.stringContaining("not 'many'") })
    expect(wrong('tail', '-f', '-')).toMatchObject({ code: 2, err: expect.stringContaining('needs files') })
    expect(wrong('cat', '--order', 'name', file)).toMatchObject({ code: 2, err: expect.stringContaining("'time'") })
  })

  it('exits with 1 and names the file when it cannot be read', () => {
    for (const name of ['cat', 'tail', 'verify', 'stats']) {
      expect(run([name, file])).toMatchObject({ code: 1, out: '', err: expect.stringContaining(file) })
    }
  })
})

describe('shardlog cat', () => {
  it('prints entries verbatim, with a newline where there is none', () => {
    fs.writeFileSync(file, makeBlock(['a', 'b\n', 'two\nlines', '\xff', '\n', Buffer.from([0xfe])]))
    const { code, out, err } = run(['cat', file])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toBe(`a\nb\ntwo\nlines\n${Buffer.from('\xff').toString('latin1')}\n\n\xfe\n`)
  })

  it('prints one JSON object a line', () => {
    const entries = ['a', Buffer.from([0xff, 0x00])]
    fs.writeFileSync(file, makeBlock(entries, { firstTime: 1_700_000_000_123_456_789n, producer: 4 }))
    const printed = run(['cat', '--json', file]).out.trim().split('\n')
    const time = '2023-11-14T22:13:20.123456789Z'
    expect(printed.map(line => JSON.parse(line))).toEqual([
      { offset: 12, time, producer: 4, text: 'a' },
      { offset: 17, time, producer: 4, base64: '/wA=' }
    ])
  })

  it('reads standard input, from a pipe and from a file', () => {
    const bytes = Buffer.concat([makeBlock(lines('a', 50)), makeBlock(['b'], { sequence: 1n })])
    const expected = `${lines('a', 50).join('\n')}\nb\n`
    expect(run(['cat', '-'], bytes)).toMatchObject({ code: 0, out: expected })
    fs.writeFileSync(file, bytes)
    const shell = spawnSync('sh', ['-c', '"$0" "$1" cat - < "$2"', process.execPath, main, file])
    expect(shell.stdout.toString()).toBe(expected)
  })

  it('prints what is sound, says where it is not, and exits with 1', () => {
    const bytes = Buffer.concat([0n, 1n, 2n].map(sequence => makeBlock([`n${sequence}`], { sequence })))
    bytes[512 + 12]! ^= 1
    fs.writeFileSync(file, bytes)
    const { code, out, err } = run(['cat', file])
    expect({ code, out }).toEqual({ code: 1, out: 'n0\nn2\n' })
    expect(err).toMatch(/offset 512, 512 bytes: bad-trailer/)
    expect(run(['cat', '--salvage', file]).out.split('\n')).toHaveLength(4)
    expect(run(['cat', '--strict', file])).toMatchObject({ code: 1, out: 'n0\n' })
  })

  it('prints files larger than its buffers, small entries and large', () => {
    const entries = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat((i * 7919) % 5000)}`)
    const blocks = Array.from({ length: 100 }, (_, i) => {
      return makeBlock(entries.slice(i * 30, i * 30 + 30), { sequence: BigInt(i) })
    })
    fs.writeFileSync(file, Buffer.concat(blocks))
    const result = spawnSync(process.execPath, [main, 'cat', file], { maxBuffer: 1 << 28 })
    expect(result.stdout.toString() === `${entries.join('\n')}\n`).toBe(true)
  })

  it('ends quietly when its reader does', () => {
    fs.writeFileSync(
      file,
      Buffer.concat(Array.from({ length: 500 }, (_, i) => makeBlock(['x'.repeat(4000)], { sequence: BigInt(i) })))
    )
    const shell = spawnSync('sh', ['-c', '"$0" "$1" cat "$2" | head -c 10', process.execPath, main, file])
    expect(shell.stdout.toString()).toBe('xxxxxxxxxx')
    expect(shell.stderr.toString()).toBe('')
  })

  it('prints what a killed process left, says where it waits, and how to get it into the log', () => {
    killWithEntries(3)
    const before = run(['cat', file])
    expect(before).toMatchObject({ code: 0, out: 'entry 0\nentry 1\nentry 2\n' })
    expect(before.err).toMatch(/3 entries wait in .*\.arena.*shardlog recover/)
    expect(run(['recover', file])).toMatchObject({ code: 0, out: expect.stringContaining('recovered 3 entries') })
    expect(run(['cat', file])).toEqual({ code: 0, out: 'entry 0\nentry 1\nentry 2\n', err: '' })
  })
})

describe('shardlog tail', () => {
  it('prints the last ten entries, or as many as asked for', () => {
    fs.writeFileSync(file, Buffer.concat([makeBlock(lines('a', 8)), makeBlock(lines('b', 8), { sequence: 1n })]))
    expect(run(['tail', file]).out).toBe(`a 6\na 7\n${lines('b', 8).join('\n')}\n`)
    expect(run(['tail', '-n', '2', file]).out).toBe('b 6\nb 7\n')
    expect(run(['tail', '-n0', file]).out).toBe('')
    expect(run(['tail', '--lines', '100', file]).out.split('\n')).toHaveLength(17)
  })

  it('heads each file with its name if there are several', () => {
    fs.writeFileSync(file, makeBlock(['a']))
    fs.writeFileSync(`${file}2`, makeBlock(['b']))
    expect(run(['tail', file, `${file}2`]).out).toBe(`==> ${file} <==\na\n\n==> ${file}2 <==\nb\n`)
  })

  it('follows until it is interrupted, also into the arena', async () => {
    killWithEntries(3)
    const tail = spawn(process.execPath, [main, 'tail', '-f', '-n', '2', file])
    onTestFinished(() => void tail.kill('SIGKILL'))
    let out = ''
    const seen = new Promise<void>(resolve => {
      tail.stdout.on('data', chunk => {
        out += chunk
        if (out.includes('appended')) resolve()
        else if (out.includes('entry 2')) fs.appendFileSync(file, makeBlock(['appended'], { stream: 1n }))
      })
    })
    await seen
    tail.kill('SIGINT')
    expect((await once(tail, 'exit'))[0]).toBe(0)
    expect(out).toBe('entry 1\nentry 2\nappended\n')
  })
})

describe('shardlog verify', () => {
  it('says that a log is fine', () => {
    fs.writeFileSync(file, makeBlock(lines('a', 3)))
    const { code, out } = run(['verify', file])
    expect(code).toBe(0)
    expect(out).toMatch(/1 block, 3 entries/)
    expect(out).toMatch(/fine/)
  })

  it('lists damage with offset, length and advice, as text and as JSON', () => {
    fs.writeFileSync(file, Buffer.concat([makeBlock(['a']), Buffer.from('hello, I am a line of text\n')]))
    const { code, out } = run(['verify', file])
    expect(code).toBe(1)
    expect(out).toMatch(/offset 512, 27 bytes: foreign/)
    expect(out).toMatch(/give it a file of its own/)
    const report = JSON.parse(run(['verify', '--json', file]).out)
    expect(report).toMatchObject({ ok: false, blocks: 1, damage: [{ kind: 'foreign', offset: 512, length: 27 }] })
    expect(report.streams[0].stream).toBe('abcd')
  })
})

describe('shardlog recover', () => {
  it('has nothing to do without an arena', () => {
    fs.writeFileSync(file, '')
    expect(run(['recover', file])).toMatchObject({ code: 0, out: `${file}: nothing to recover\n` })
  })

  it('refuses while the owner is alive', async () => {
    const config = { logFilePath: file, engine: 'native' }
    const script = "const logger = new Logger(config); logger.log('a'); console.log('up'); setInterval(() => {}, 1000)"
    const owner = spawn(process.execPath, ['-e', prelude(config) + script])
    await once(owner.stdout, 'data')
    const { code, err } = run(['recover', file])
    expect(code).toBe(1)
    expect(err).toContain(String(owner.pid))
    expect(run(['cat', file])).toEqual({ code: 0, out: 'a\n', err: '' })
    const stats = run(['stats', file]).out
    expect(stats).toMatch(/waiting: 1 entry, 1 byte\n/)
    expect(stats).toMatch(new RegExp(`owner: process ${owner.pid}, alive`))
    owner.kill()
    await once(owner, 'exit')
  })
})

describe('shardlog stats', () => {
  it('tells what the file and the arena hold', () => {
    killWithEntries(5)
    const text = run(['stats', file])
    expect(text.code).toBe(0)
    expect(text.out).toMatch(/waiting: 5 entries, 35 bytes/)
    expect(text.out).toMatch(/owner: process \d+, dead/)
    const report = JSON.parse(run(['stats', '--json', file]).out)
    expect(report).toMatchObject({ blocks: 0, entries: 0, arena: { entries: 5, ownerAlive: false } })
  })
})
