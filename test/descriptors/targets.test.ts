import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { linesOf, logging, loggingIn, loggingToPipe, onEngine, upTo } from '../support/descriptors'
import { engines } from '../support/engines'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

/** Lines of very different lengths, some longer than a pipe takes at once. */
const numbered = (count: number): string => `
  const log = shardlog({ base: null })
  for (let i = 0; i < ${count}; i++) log.info({ i, pad: 'x'.repeat((i * 37) % 6_000) })
`

describe.each(engines)('with the %s engine, each line of a logger without a destination is in', engine => {
  onEngine(engine)

  const expected = upTo(2_000)

  it('a pipe', async () => {
    const child = loggingIn('RUN | cat', numbered(2_000))
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual(expected)
    expect(await child.end()).toEqual({ code: 0, said: [], errors: '' })
  })

  it('a socket, as a child of Node has it', async () => {
    const child = logging(numbered(2_000), 'pipe')
    expect(linesOf(await text(child.child.stdout!)).map(line => line.i)).toEqual(expected)
  })

  it('a file, behind what is there and before what comes later', async () => {
    const file = path.join(tempDir(), 'out')
    await loggingIn(`{ echo '{"i":-1}'; RUN; echo '{"i":2000}'; } > "$OUT"`, numbered(2_000), { OUT: file }).end()
    expect(linesOf(fs.readFileSync(file, 'utf8')).map(line => line.i)).toEqual([-1, ...expected, 2_000])
  })

  it('a file that several processes append to, whole', async () => {
    const file = path.join(tempDir(), 'out')
    await loggingIn('{ RUN & RUN & wait; } >> "$OUT"', numbered(2_000), { OUT: file }).end()
    const indexes = linesOf(fs.readFileSync(file, 'utf8')).map(line => line.i)
    expect(indexes.sort((a, b) => a - b)).toEqual(expected.flatMap(i => [i, i]))
  })

  it('a terminal', () => {
    const script = path.join(tempDir(), 'script.js')
    fs.writeFileSync(script, `const shardlog = require(${JSON.stringify(packageRoot)})\n${numbered(2_000)}`)
    const python = 'import pty, sys; pty.spawn(sys.argv[1:])'
    const output = execFileSync('python3', ['-c', python, process.execPath, script], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
      stdio: ['ignore', 'pipe', 'inherit']
    })
    expect(linesOf(output.replaceAll('\r\n', '\n')).map(line => line.i)).toEqual(expected)
  })

  it('a pipe that two processes share: lines of up to 4,096 bytes are never cut by the other', async () => {
    const script = `
      const log = shardlog({ base: { pid: process.pid } })
      for (let i = 0; i < 20_000; i++) log.info({ i, pad: 'x'.repeat((i * 37) % 3_900) })`
    const child = loggingIn('{ RUN & RUN & wait; } | cat', script)
    const lines = linesOf(await text(child.child.stdout!))
    const pids = [...new Set(lines.map(line => line.pid))]
    expect(pids).toHaveLength(2)
    for (const pid of pids) {
      const indexes = lines.filter(line => line.pid === pid).map(line => line.i)
      expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b))
    }
  })
})

// Longer ones the kernel takes in pieces. Processes with the native engine wait for each other's.
describe.runIf(engines.includes('native'))('with the native engine, a pipe that three processes share', () => {
  onEngine('native')

  it('has the long lines of each of them whole and in order, whatever makes them write', async () => {
    const script = `
      const log = shardlog({ base: { pid: process.pid } })
      for (let i = 0; i < 400; i++) {
        log.info({ i, pad: 'x'.repeat(6_000 + ((i * 7_919) % 14_000)) })
        if (i % 50 === 49) log.flush()
      }
      log.fatal({ i: 400 }, 'the end')`
    const child = loggingIn('{ RUN & RUN & RUN & wait; } | cat', script)
    const lines = linesOf(await text(child.child.stdout!))
    const pids = [...new Set(lines.map(line => line.pid))]
    expect(pids).toHaveLength(3)
    for (const pid of pids) expect(lines.filter(line => line.pid === pid).map(line => line.i)).toEqual(upTo(401))
  })
})

describe.each(engines)("with the %s engine, somebody else's descriptor", engine => {
  onEngine(engine)

  const flagsOf = `const flags = () => fs.readFileSync('/proc/self/fdinfo/1', 'utf8').match(/flags:.*/)[0]`

  it.each([
    ['blocking', 0],
    ['non-blocking', fs.constants.O_NONBLOCK]
  ])('keeps its flags if it is %s, and is not waited for', async (_name, flag) => {
    const { logging: child, reader } = loggingToPipe(
      `${flagsOf}
       const before = flags()
       const destination = shardlog.destination({ dest: 1, format: 'ndjson', onFull: 'block', blockTimeout: Infinity })
       const log = shardlog(destination)
       for (let i = 0; i < 5_000; i++) log.info({ i })
       destination.flush(() => say([before === flags(), stats(destination)]))`,
      flag
    )
    expect(linesOf(await reader.rest()).map(line => line.i)).toEqual(upTo(5_000))
    const { said } = await child.end()
    expect(said).toEqual([[true, { totalLogs: 5_000, droppedLogs: 0, writtenLogs: 5_000, error: null }]])
  })

  it('is not written to once the number is that of another file', async () => {
    const file = path.join(tempDir(), 'other')
    const { logging: child, reader } = loggingToPipe(`
      const log = shardlog({ base: null })
      log.info({ i: 0 })
      fs.closeSync(1)
      if (fs.openSync(${JSON.stringify(file)}, 'w') !== 1) say('another number')
      log.info({ i: 1 })
      shardlog({ base: null }).info({ i: 2 })`)
    expect(linesOf(await reader.rest()).map(line => line.i)).toEqual([0, 1])
    expect((await child.end()).said).toEqual([])
    expect(linesOf(fs.readFileSync(file, 'utf8')).map(line => line.i)).toEqual([2])
  })

  it('may be any open one', async () => {
    const file = path.join(tempDir(), 'any')
    const child = logging(
      `const fd = fs.openSync(${JSON.stringify(file)}, 'a')
       const destination = shardlog.destination(fd)
       shardlog(destination).info({ i: 0 })
       shardlog(shardlog.destination({ dest: String(fd) })).info({ i: 1 })
       destination.flushSync()
       say(stats(destination).writtenLogs)`,
      'pipe'
    )
    expect((await child.end()).said).toEqual([2])
    expect(linesOf(fs.readFileSync(file, 'utf8')).map(line => line.i)).toEqual([0, 1])
  })
})
