import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const START = 1_764_419_926_000

let directory: string

beforeEach(() => {
  directory = tempDir()
})

function write(name: string, lines: readonly object[]): string {
  const file = path.join(directory, name)
  fs.writeFileSync(file, lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  return file
}

function report(...args: string[]): string {
  const file = path.join(directory, 'report.html')
  const { status, stderr } = spawnSync(process.execPath, [main, 'view', '--html', file, ...args], { encoding: 'utf8' })
  expect([status, stderr]).toEqual([0, ''])
  return fs.readFileSync(file, 'utf8')
}

interface Data {
  events: [string, number, string, string, string, number, number][]
  columns: [number, number, number[]][]
  levels: [string, number][]
}

const JSON_BLOCK = /<script type="application\/json" id="data">([\s\S]*?)<\/script>/

const dataOf = (html: string): Data => JSON.parse(JSON_BLOCK.exec(html)![1]!) as Data

const EVIL =
  '</script><script>document.title="broken"</script><!-- <img src=x onerror="document.title=1"> \u202e \u001b[2J'

const chromium = ['chromium', 'chromium-browser', 'google-chrome'].find(name => {
  return spawnSync(name, ['--version'], { encoding: 'utf8' }).status === 0
})

describe('shardlog view --html', () => {
  it('makes one page that needs nothing else, and runs and shows nothing of the records as code', () => {
    const html = report(write('a.log', [{ level: 50, time: START, name: EVIL, [EVIL]: { [EVIL]: EVIL }, msg: EVIL }]))
    expect(html).not.toContain('<img')
    expect(html).not.toContain('<!--')
    expect(html.match(/<script/g)).toHaveLength(2)
    expect(html).not.toMatch(/(?:src|href)\s*=\s*["']?(?:https?:)?\/\//)
    expect(html.match(/https?:\/\/[^"']+/g)).toEqual(['http://www.w3.org/2000/svg'])
    expect(dataOf(html).events[0]?.[3]).toBe(EVIL)
    const [, policy] = /Content-Security-Policy" content="([^"]+)"/.exec(html) ?? []
    for (const tag of ['script', 'style']) {
      const [, text] = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html) ?? []
      expect(policy).toContain(`${tag}-src 'sha256-${createHash('sha256').update(text!).digest('base64')}'`)
    }
    expect(policy).toMatch(/^default-src 'none'/)
  })

  it('tells of all events, and has the latest and the latest grave ones', () => {
    const count = 30_000
    const lines = Array.from({ length: count }, (_, i) => ({
      level: i % 1000 === 0 ? 50 : 30,
      time: START + i,
      msg: `event ${i % 7}`
    }))
    const html = report(write('a.log', lines))
    const { events, columns, levels } = dataOf(html)
    expect(events).toHaveLength(10_000 + 20)
    expect(html).toContain(
      'The table has 10,020 of 30,000 events: the latest 10,000, and the latest 10,000 of level warn'
    )
    expect(columns.reduce((sum, [, , counts]) => sum + counts.reduce((a, b) => a + b), 0)).toBe(count)
    const errors = events.filter(([, level]) => levels[level]![0] === 'error')
    expect(errors).toHaveLength(30)
    expect(events.map(([time]) => BigInt(time)).every((time, i, all) => i === 0 || all[i - 1]! <= time)).toBe(true)
    expect(html).toMatch(/errors and fatal<\/span><b>30</)
  })

  it('cuts texts that are too long, and says so', () => {
    const html = report(
      write('a.log', [{ level: 30, time: START, msg: 'x'.repeat(100_000), big: 'y'.repeat(100_000) }])
    )
    const [event] = dataOf(html).events
    expect(event![3]).toMatch(/^x{16384} … 83,616 more characters$/)
    expect(event![4]).toMatch(/more characters$/)
    expect(html.length).toBeLessThan(200_000)
  })

  it('filters, and tells by what', () => {
    const lines = [
      { level: 30, time: START, msg: 'a' },
      { level: 50, time: START + 1, msg: 'b' }
    ]
    const html = report('--level', 'error', write('a.log', lines))
    expect(dataOf(html).events).toHaveLength(1)
    expect(html).toContain('filtered: level error')
    expect(dataOf(report('--level', 'fatal', path.join(directory, 'a.log'))).events).toEqual([])
  })

  it('leaves what was there when the place cannot be written', () => {
    const file = write('a.log', [{ level: 30, time: START, msg: 'a' }])
    const run = (target: string) =>
      spawnSync(process.execPath, [main, 'view', '--html', target, file], { encoding: 'utf8' })
    const missing = run(path.join(directory, 'missing', 'report.html'))
    expect(missing.status).toBe(1)
    expect(missing.stderr).toMatch(/cannot write the report .*ENOENT.*\(ERR_SHARDLOG_IO\)/s)
    expect(run('')).toMatchObject({ status: 2 })
    expect(run(directory)).toMatchObject({ status: 1 })
    expect(fs.readdirSync(directory)).toEqual(['a.log'])
  })

  const inBrowser = chromium === undefined ? it.skip : it
  inBrowser(`opens in a browser${chromium === undefined ? ' (left out: no Chromium is installed)' : ''}`, () => {
    report(write('a.log', [{ level: 50, time: START, name: EVIL, msg: EVIL, n: 1 }]))
    const url = `file://${path.join(directory, 'report.html')}`
    const profile = `--user-data-dir=${path.join(directory, 'profile')}`
    const args = [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      profile,
      '--virtual-time-budget=3000',
      '--dump-dom',
      url
    ]
    const { stdout } = spawnSync(chromium!, args, { encoding: 'utf8', timeout: 50_000 })
    expect(stdout).toMatch(/<title>[^<]*a\.log<\/title>/)
    expect(stdout).toContain('1 to 1 of 1')
    expect(stdout.match(/class="event"/g)).toHaveLength(1)
    expect(stdout).toMatch(/<rect class="error"/)
  })
})
