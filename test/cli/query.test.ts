import { spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Recorder } from '../../lib/public'
import { makeBlock } from '../support/make-log'
import { shardlog as build, packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const TIME = 1_764_419_926_000

let directory: string
let temporary: string

beforeEach(() => {
  directory = tempDir()
  temporary = tempDir()
})

function run(args: string[], options: { input?: string; cwd?: string; main?: string } = {}) {
  return spawnSync(process.execPath, [options.main ?? main, 'query', ...args], {
    encoding: 'utf8',
    cwd: options.cwd ?? directory,
    input: options.input ?? '',
    env: { ...process.env, TMPDIR: temporary }
  })
}

type Row = Record<string, unknown>

/** The rows of a query that succeeds. */
function rows(sql: string, ...args: string[]): Row[] {
  const { status, stdout, stderr } = run(['--json', sql, ...args])
  if (status !== 0) throw new Error(stderr)
  return stdout
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Row)
}

function write(name: string, content: string | Buffer | readonly object[]): string {
  const file = path.join(directory, name)
  const text = Array.isArray(content) ? content.map(line => `${JSON.stringify(line)}\n`).join('') : content
  fs.writeFileSync(file, text as string | Buffer)
  return file
}

const LINES = [
  { level: 30, time: TIME, pid: 7, hostname: 'web', name: 'shop', msg: 'one', user: 1 },
  { level: 50, time: TIME + 1.5, pid: 7, hostname: 'web', msg: 'two', user: 2, err: { message: 'boom' } },
  { level: 35, time: '2025-11-29T12:38:47.25Z', msg: 'three', ok: true }
]

describe('the table logs', () => {
  it('has the columns of every record, and one for each key', () => {
    write('app.log', LINES)
    expect(rows('select * exclude (file) from logs order by time', 'app.log')).toEqual([
      {
        ...{
          time: '2025-11-29 12:38:46',
          time_ns: TIME * 1e6,
          level: 'info',
          level_value: 30,
          name: 'shop',
          msg: 'one'
        },
        ...{ pid: 7, hostname: 'web', fields: { pid: 7, hostname: 'web', user: 1 }, user: 1, err: null, ok: null }
      },
      {
        ...{ time: '2025-11-29 12:38:46.0015', time_ns: TIME * 1e6 + 1_500_000, level: 'error', level_value: 50 },
        ...{ name: null, msg: 'two', pid: 7, hostname: 'web', user: 2, err: { message: 'boom' }, ok: null },
        fields: { pid: 7, hostname: 'web', user: 2, err: { message: 'boom' } }
      },
      {
        ...{ time: '2025-11-29 12:38:47.25', time_ns: TIME * 1e6 + 1_250_000_000, level: '35', level_value: 35 },
        ...{
          name: null,
          msg: 'three',
          pid: null,
          hostname: null,
          fields: { ok: true },
          user: null,
          err: null,
          ok: true
        }
      }
    ])
    expect(rows('select level from logs where level_value = 35', '--levels', 'audit=35', 'app.log')).toEqual([
      { level: 'audit' }
    ])
    expect(rows("select err->>'$.message' as error from logs where level = 'error'", 'app.log')).toEqual([
      { error: 'boom' }
    ])
  })

  it('has a key that differs from another column by case alone under a number', () => {
    write('app.log', [{ user: 1, User: 'a', USER: true, Level: 5, time: TIME, fields: 6, File: 7 }])
    const [row] = rows('from logs', 'app.log')
    expect(row).toMatchObject({ user: 1, User_1: 'a', USER_2: true, Level_1: 5, fields_1: 6, File_1: 7, level: null })
    expect(rows('select user, level from logs', 'app.log')).toEqual([{ user: 1, level: null }])
  })

  it('has a type for each key that takes all its values, wherever they stand', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => ({
      n: i,
      ratio: i,
      text: 'x',
      mixed: i,
      flag: true,
      big: i,
      o: {}
    }))
    const last = { n: -5, ratio: 0.5, text: 5, mixed: 'text', flag: 1, o: 'none' }
    const text = many.map(line => JSON.stringify(line)).join('\n')
    write('app.log', `${text}\n${JSON.stringify(last)}\n{"big":12345678901234567890123}\n${text}\n`)
    const types = rows('select column_name as name, column_type as type from (describe logs)', 'app.log')
    expect(types.map(({ name, type }) => `${name} ${type}`)).toContain('n BIGINT')
    const sql = (name: string, other: string) => rows(`select ${name} as v from logs where ${other}`, 'app.log')
    expect(sql('sum(n)', 'true')).toEqual([{ v: 2 * (19_999 * 10_000) - 5 }])
    expect(sql('ratio', 'ratio = 0.5')).toEqual([{ v: 0.5 }])
    expect(sql('text', "text = '5'")).toEqual([{ v: '5' }])
    expect(sql('mixed', "mixed in ('text', '3')")).toEqual([{ v: '3' }, { v: 'text' }, { v: '3' }])
    expect(sql('flag', "flag = '1'")).toEqual([{ v: '1' }])
    expect(sql('big::VARCHAR', 'big > 1000000')).toEqual([{ v: '12345678901234567890123' }])
    expect(sql('o', "json_type(o) <> 'OBJECT'")).toEqual([{ v: 'none' }])
  })

  it('finds a key that stands in few lines, if a query names it', () => {
    const many = Array.from({ length: 30_000 }, (_, i) =>
      JSON.stringify({ level: 30, time: TIME + i, msg: 'x'.repeat(30) })
    )
    many.splice(12_345, 0, '{"level":30,"rare":"here"}')
    write('app.log', `${many.join('\n')}\n`)
    expect(rows('select rare from logs where rare is not null', 'app.log')).toEqual([{ rare: 'here' }])
    expect(run(['select rear from logs', 'app.log'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('"rear" not found')
    })
  })

  it('has no column for more keys than a table can have', () => {
    write('app.log', [Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, i]))])
    expect(rows('select count(*) as n from (describe logs)', 'app.log')).toEqual([{ n: 508 }])
    expect(rows("select fields->>'k2999' as k from logs", 'app.log')).toEqual([{ k: '2999' }])
  })

  it('reads what DuckDB does not read as JSON.parse does', () => {
    const lines = [
      '{"level":30,"level":50,"msg":"twice","a":{"b":1}}',
      'no JSON',
      '[1]',
      '{"msg":"\\ud800 alone","level":30}',
      '',
      '{"msg":"fine","level":40}',
      '{"time":"29 Nov 2025 12:38:46 GMT","msg":"date"}'
    ]
    write(
      'app.log',
      Buffer.concat([Buffer.from(lines.join('\n')), Buffer.from([10, 0xff, 0xfe, 10]), Buffer.from('{"msg":"torn')])
    )
    const { status, stdout, stderr } = run(['--json', 'select msg, level, time_ns from logs order by msg', 'app.log'])
    expect([status, stderr.match(/torn-tail/g)]).toEqual([1, ['torn-tail']])
    expect(
      stdout
        .trim()
        .split('\n')
        .map(line => JSON.parse(line))
    ).toEqual([
      { msg: '[1]', level: null, time_ns: null },
      { msg: 'date', level: null, time_ns: TIME * 1e6 },
      { msg: 'fine', level: 'warn', time_ns: null },
      { msg: 'no JSON', level: null, time_ns: null },
      { msg: 'twice', level: 'error', time_ns: null },
      { msg: '\ufffd alone', level: 'info', time_ns: null },
      { msg: '\ufffd\ufffd', level: null, time_ns: null }
    ])
  })

  it('takes JSON that is nested too deeply for a text', () => {
    const deep = (depth: number): string => `{"level":30,"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
    write('app.log', `${deep(500)}\n${deep(200_000)}\n`)
    expect(rows('select length(fields) as n from logs where level is not null order by n', 'app.log')).toEqual([
      { n: 2 },
      { n: 1006 }
    ])
    expect(rows('select count(*) as n from logs', 'app.log')).toEqual([{ n: 2 }])
  })

  it('reads lines of many MiB', () => {
    write('app.log', `{"msg":"${'x'.repeat(20 * 1024 * 1024)}"}\n{"msg":"y"}\n`)
    expect(rows('select length(msg) as n from logs order by n', 'app.log')).toEqual([{ n: 1 }, { n: 20 * 1024 * 1024 }])
  })
})

describe('shardlog query', () => {
  it('reads files of every kind in one query, and names them as they were given', async () => {
    write("it's [1] *.log", LINES)
    write('zipped', gzipSync(`${JSON.stringify(LINES[0])}\n`))
    write('blocks.log', makeBlock([JSON.stringify(LINES[1]), '{"msg":"more\\nthan",\n"level":30}']))
    write('empty.log', '')
    const recorder = new Recorder({ directory, service: 'cart', onCrash: false })
    onTestFinished(() => recorder.close())
    recorder.record('debug', 'db', 'four', { user: 4, service: 'mine' })
    recorder.record('info', 'db', 'five', { big: 2n ** 70n })
    const snapshot = path.basename(await recorder.snapshot('test'))
    const files = ["it's [1] *.log", 'zipped', 'blocks.log', 'empty.log', '.cart.recorder', snapshot]
    expect(rows('select file, count(*) as n from logs group by all order by 1', ...files)).toEqual([
      { file: '.cart.recorder', n: 2 },
      { file: 'blocks.log', n: 2 },
      { file: "it's [1] *.log", n: 3 },
      { file: snapshot, n: 2 },
      { file: 'zipped', n: 1 }
    ])
    expect(
      rows(
        "select name, service, thread, pid, big::VARCHAR as big from logs where level_value < 40 and name = 'db' order by msg",
        snapshot
      )
    ).toEqual([
      { name: 'db', service: 'cart', thread: 0, pid: process.pid, big: String(2n ** 70n) },
      { name: 'db', service: 'mine', thread: 0, pid: process.pid, big: null }
    ])
    expect(rows("select msg from logs where level = 'info'", 'blocks.log')).toEqual([{ msg: 'more\nthan' }])
  })

  it('reads what a live process has not written yet', async () => {
    const file = path.join(directory, 'app.log')
    const log = build({}, build.destination({ dest: file, format: 'ndjson', flushInterval: 3_600_000 }))
    onTestFinished(() => log.close())
    log.info({ user: 1 }, 'waits')
    expect(fs.statSync(file).size).toBe(0)
    expect(rows('select msg, "user" from logs', 'app.log')).toEqual([{ msg: 'waits', user: 1 }])
  })

  it('reads standard input, once, whatever is in it', () => {
    const { stdout } = run(
      ["select count(*) as n, sum(case when msg = 'text' then 1 end) as texts from logs", '--json', '-'],
      {
        input: '{"msg":"a"}\ntext\n{"msg":"b","fields":1}\n'
      }
    )
    expect(JSON.parse(stdout)).toEqual({ n: 3, texts: 1 })
  })

  it('reads a pipe, which gives its bytes once', () => {
    const script = `mkfifo pipe; echo '{"msg":"a"}' > pipe & ${process.execPath} ${main} query --json "select msg from logs" pipe`
    const { stdout } = spawnSync('bash', ['-c', script], { encoding: 'utf8', cwd: directory })
    expect(stdout).toBe('{"msg":"a"}\n')
  })

  it('prints tables, JSON, CSV and Parquet', () => {
    write('app.log', [...LINES, { msg: 'tabs\tand\u001b[2Jmore', user: 12_345 }, { msg: '漢字', user: null }])
    const sql = 'select level, msg, "user" from logs'
    expect(run([sql, 'app.log']).stdout).toBe(
      [
        'level  msg                   user',
        '-----  -------------------  -----',
        'info   one                      1',
        'error  two                      2',
        '35     three                 NULL',
        'NULL   tabs^IandESC[2Jmore  12345',
        'NULL   漢字                  NULL',
        ''
      ].join('\n')
    )
    expect(JSON.parse(run(['--format', 'json', sql, 'app.log']).stdout)).toHaveLength(5)
    expect(run(['--format', 'csv', sql, 'app.log']).stdout.split('\n').slice(0, 3)).toEqual([
      'level,msg,user',
      'info,one,1',
      'error,two,2'
    ])
    for (const name of ['out.parquet', 'out.csv', 'out.csv.gz', 'out.ndjson', 'out.json']) {
      expect(run(['-o', name, sql, 'app.log'])).toMatchObject({ status: 0, stdout: '', stderr: '' })
    }
    expect(fs.readFileSync(path.join(directory, 'out.parquet')).subarray(0, 4).toString()).toBe('PAR1')
    expect(gunzipSync(fs.readFileSync(path.join(directory, 'out.csv.gz'))).toString()).toBe(
      fs.readFileSync(path.join(directory, 'out.csv'), 'utf8')
    )
    expect(rows("select count(*) as n from 'out.parquet'", 'app.log')).toEqual([{ n: 5 }])
    expect(fs.readdirSync(directory).filter(name => name.startsWith('.'))).toEqual([])
  })

  it('prints JSON that is JSON where numbers are none', () => {
    write('app.log', LINES)
    const sql =
      'select ms, \'NaN\'::float as nan, ms / 0 as "in f", \'NaN\' as text from (select "user" * 0.5::double as ms from logs) order by ms'
    expect(rows(sql, 'app.log')).toEqual([0.5, 1, null].map(ms => ({ ms, nan: null, 'in f': null, text: 'NaN' })))
    expect(JSON.parse(run(['--format', 'json', sql, 'app.log']).stdout)).toHaveLength(3)
    expect(run(['-o', 'out.ndjson', sql, 'app.log']).status).toBe(0)
    expect(JSON.parse(fs.readFileSync(path.join(directory, 'out.ndjson'), 'utf8').split('\n')[0]!)).toMatchObject({
      nan: null
    })
    expect(run(['--format', 'csv', sql, 'app.log']).stdout).toContain('0.5,nan,inf,NaN')
  })

  it('writes folders by the values of columns, and adds to them', () => {
    write('app.log', LINES)
    const args = ['-o', 'out', '--partition-by', 'day,level', 'select *, time::date as day from logs', 'app.log']
    expect(run(args)).toMatchObject({ status: 0, stderr: '' })
    expect(fs.readdirSync(path.join(directory, 'out', 'day=2025-11-29')).sort()).toEqual([
      'level=35',
      'level=error',
      'level=info'
    ])
    expect(run(args)).toMatchObject({ status: 1, stderr: expect.stringContaining('not empty') })
    expect(run(['--append', ...args])).toMatchObject({ status: 0 })
    expect(
      rows(
        "select level, count(*) as n from read_parquet('out/*/*/*.parquet', hive_partitioning = true) group by all order by 1",
        'app.log'
      )
    ).toEqual([
      { level: '35', n: 2 },
      { level: 'error', n: 2 },
      { level: 'info', n: 2 }
    ])
  })

  it('says what is wrong with SQL, where, and leaves nothing behind', () => {
    write('app.log', LINES)
    const { status, stdout, stderr } = run(['select mgs from logs', 'app.log'])
    expect([status, stdout]).toEqual([1, ''])
    expect(stderr).toContain('ERR_SHARDLOG_QUERY')
    expect(stderr).toContain('\nshardlog: LINE 1: select mgs from logs\n')
    for (const sql of [
      'select 1; select 2',
      'drop view logs',
      'insert into logs values (1)',
      "copy logs to 'x.csv'",
      'select',
      'select $1',
      'select 1 + ',
      'install httpfs'
    ]) {
      expect(run([sql, 'app.log'])).toMatchObject({
        status: 1,
        stdout: '',
        stderr: expect.stringContaining('ERR_SHARDLOG_QUERY')
      })
    }
    expect(run(['-o', 'out.csv', 'select nothing from logs', 'app.log']).status).toBe(1)
    expect(fs.readdirSync(directory)).toEqual(['app.log'])
    expect(fs.readdirSync(temporary)).toEqual([])
  })

  it('is called wrongly', () => {
    write('app.log', LINES)
    for (const args of [
      ['select 1'],
      ['', 'app.log'],
      ['--format', 'xml', 'select 1', 'app.log'],
      ['--json', '--format', 'csv', 'select 1', 'app.log'],
      ['--append', 'select 1', 'app.log'],
      ['--partition-by', 'level', 'select 1', 'app.log'],
      ['--levels', 'audit', 'select 1', 'app.log']
    ])
      expect(run(args)).toMatchObject({ status: 2, stdout: '' })
  })

  it('says which file it cannot read', () => {
    write('app.log', LINES)
    expect(run(['select 1', 'app.log', 'missing.log']).stderr).toContain('missing.log')
    expect(run(['select 1', directory]).stderr).toContain('directory')
    write('binary', Buffer.alloc(64, 1))
    expect(run(['select 1', 'binary'])).toMatchObject({ status: 1, stderr: expect.stringContaining('no log') })
    expect(run(['-o', 'no/such/file.csv', 'select 1', 'app.log'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('ENOENT')
    })
    expect(run(['-o', directory, '--format', 'csv', 'select 1', 'app.log'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('directory')
    })
  })

  it('says what it could not read of a ring', () => {
    const ring = path.join(directory, 'ring')
    const recorder = new Recorder({ directory, path: ring, onCrash: false })
    onTestFinished(() => recorder.close())
    for (let n = 0; n < 100; n++) recorder.record('info', 't', 'message', { n })
    const bytes = fs.readFileSync(ring)
    const [slotsAt, dataAt] = [24, 32].map(at => Number(bytes.readBigUInt64LE(at))) as [number, number]
    // The length of the first entry of the first run, which makes all that follows unreadable.
    expect(bytes.readBigUInt64LE(slotsAt + 8)).not.toBe(0n)
    bytes.writeUInt32LE(0xffffff, dataAt + 8)
    write('damaged', bytes)
    expect(run(['select 1', 'damaged'])).toMatchObject({
      status: 1,
      stderr: 'shardlog: damaged: 1 entry could not be read\n'
    })
  })

  it('says what to install where DuckDB is missing', () => {
    write('app.log', LINES)
    const elsewhere = tempDir()
    fs.cpSync(path.join(packageRoot, 'dist'), path.join(elsewhere, 'dist'), { recursive: true })
    fs.copyFileSync(path.join(packageRoot, 'package.json'), path.join(elsewhere, 'package.json'))
    const { status, stderr } = run(['select 1', 'app.log'], { main: path.join(elsewhere, 'dist', 'cli', 'main.js') })
    expect(status).toBe(1)
    expect(stderr).toContain('npm install @duckdb/node-api')
    expect(stderr).toContain('ERR_SHARDLOG_PACKAGE')
  })

  it('stops when nobody reads any more, and at a signal, and leaves nothing behind', async () => {
    write('app.log', LINES)
    const endless = 'select a.range from range(100000000) a, logs'
    const child = spawn(process.execPath, [main, 'query', '--json', endless, 'app.log'], {
      cwd: directory,
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    await expect.poll(() => fs.readdirSync(temporary), { timeout: 20_000 }).toHaveLength(1)
    child.kill('SIGINT')
    await expect.poll(() => child.exitCode, { timeout: 20_000 }).toBe(130)
    expect(fs.readdirSync(temporary)).toEqual([])
    const waiting = spawn(process.execPath, [main, 'query', 'from logs', '-'], {
      env: { ...process.env, TMPDIR: temporary },
      stdio: ['pipe', 'ignore', 'inherit']
    })
    onTestFinished(() => void waiting.kill('SIGKILL'))
    await expect.poll(() => fs.readdirSync(temporary), { timeout: 20_000 }).toHaveLength(1)
    waiting.kill('SIGTERM')
    await expect.poll(() => waiting.exitCode, { timeout: 20_000 }).toBe(143)
    expect(fs.readdirSync(temporary)).toEqual([])
    const shell = `${process.execPath} ${main} query "from range(3000000)" app.log | head -n 3; echo "\${PIPESTATUS[0]}"`
    const { stdout } = spawnSync('bash', ['-c', shell], {
      encoding: 'utf8',
      cwd: directory,
      env: { ...process.env, TMPDIR: temporary }
    })
    expect(stdout.trim().split('\n').at(-1)).toBe('0')
    expect(fs.readdirSync(temporary)).toEqual([])
  })
})
