import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, inject, it } from 'vitest'

// Where the package ships an addon and it does not load: one warning, and the JavaScript engine.
// All in copies of the installed project.
const app = inject('app')
const CODE = /SHARDLOG_JS_ENGINE/g
const permission = process.allowedNodeEnvironmentFlags.has('--permission')
  ? '--permission'
  : '--experimental-permission'

const text = `
const shardlog = require('shardlog')
const engine = process.argv[2]
const own = { bufferSize: 2 ** 22, numShards: 2, ...(engine && { engine }) }
const logger = new shardlog.Logger({ logFilePath: require('node:path').resolve('fallback.log'), ...own })
logger.log('raw')
const destination = shardlog.destination({ dest: 1, format: 'ndjson', ...own })
shardlog({ base: null, timestamp: false }, destination).info(logger.getStatsSnapshot().engine)
const { Worker, isMainThread } = require('node:worker_threads')
if (isMainThread && process.argv[3] === 'workers') new Worker(__filename, { argv: process.argv.slice(2) })
`

/** Runs the program in `home`; tells the engine that it took and what it said on standard error. */
function start(home: string, flags: string[] = [], args: string[] = [], env: NodeJS.ProcessEnv = {}) {
  fs.writeFileSync(path.join(home, 'fallback.cjs'), text)
  fs.rmSync(path.join(home, 'fallback.log'), { force: true })
  const options = { cwd: home, encoding: 'utf8', timeout: 60_000, env: { ...process.env, ...env } } as const
  const { stdout, stderr, status } = spawnSync(process.execPath, [...flags, 'fallback.cjs', ...args], options)
  const engines = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).msg as string)
  return { engine: engines[0], stderr, status, warnings: stderr.match(CODE)?.length ?? 0 }
}

function copyOf(name: string, change: (prebuilds: string) => void): string {
  const copy = path.join(path.dirname(app), name)
  fs.cpSync(app, copy, { recursive: true })
  change(path.join(copy, 'node_modules', 'shardlog', 'prebuilds'))
  return copy
}

const reading = (...folders: string[]) => folders.map(folder => `--allow-fs-read=${folder}`)
const writing = `--allow-fs-write=${fs.realpathSync(app)}`

it('is silent and native where the addon loads', () => {
  expect(start(app)).toMatchObject({ engine: 'native', stderr: '', status: 0 })
})

it('warns once where addons are forbidden, and says why and what is lost', () => {
  const { engine, stderr, status, warnings } = start(app, ['--no-addons'])
  expect([engine, status, warnings]).toEqual(['js', 0, 1])
  expect(stderr).toMatch(/--no-addons/)
  expect(stderr).toMatch(/a kill of the process loses what is buffered/)
})

it('warns of no file that the permission model keeps from it, and goes on', () => {
  const folder = fs.realpathSync(app)
  const some = start(app, [permission, '--allow-addons', ...reading(folder), writing])
  expect([some.engine, some.status, some.warnings]).toEqual(['js', 0, 1])
  expect(some.stderr).toMatch(/\/etc\/alpine-release/)
  const libc = start(app, [permission, '--allow-addons', ...reading(folder), writing], [], { LIBC: 'glibc' })
  expect([libc.engine, libc.status, libc.warnings]).toEqual(['native', 0, 0])
  const none = start(app, [permission, ...reading('*'), writing])
  expect([none.engine, none.status, none.warnings]).toEqual(['js', 0, 1])
})

/**
 * Runs `command` in a folder, which is `$0` and is mounted so that nothing in it may be executed.
 */
function inNoexec(command: string) {
  const folder = fs.mkdtempSync(path.join(path.dirname(app), 'noexec-'))
  const script = `mount -t tmpfs -o noexec tmpfs "$0" && ${command}`
  return spawnSync('unshare', ['-rm', 'sh', '-c', script, folder], { encoding: 'utf8', timeout: 120_000 })
}

const mayMount = inNoexec('true').status === 0

it.runIf(mayMount)('warns on a file system without the right to execute (where one can be mounted)', () => {
  const run = `cp -a "${app}/." "$0" && cd "$0" && "${process.execPath}" fallback.cjs`
  fs.writeFileSync(path.join(app, 'fallback.cjs'), text)
  const { stdout, stderr, status } = inNoexec(run)
  expect(status).toBe(0)
  expect(JSON.parse(stdout)).toMatchObject({ msg: 'js' })
  expect(stderr.match(CODE)).toHaveLength(1)
  expect(stderr).toContain('failed to map segment from shared object')
})

it('warns where the addon is missing, and where it cannot be read', () => {
  const missing = copyOf('missing addon', prebuilds => fs.rmSync(prebuilds, { recursive: true }))
  expect(start(missing)).toMatchObject({ engine: 'js', status: 0, warnings: 1 })
  const broken = copyOf('broken addon', prebuilds => {
    const folder = path.join(prebuilds, `linux-${process.arch}`)
    for (const name of fs.readdirSync(folder)) fs.writeFileSync(path.join(folder, name), 'no addon')
  })
  expect(start(broken)).toMatchObject({ engine: 'js', status: 0, warnings: 1 })
})

it('warns once in a process with workers', () => {
  expect(start(app, ['--no-addons'], ['', 'workers'])).toMatchObject({ engine: 'js', status: 0, warnings: 1 })
})

it('is silent where the JavaScript engine is asked for, and fails where the native one is', () => {
  expect(start(app, ['--no-addons'], ['js'])).toMatchObject({ engine: 'js', stderr: '', status: 0 })
  const { status, stderr } = spawnSync(process.execPath, ['--no-addons', 'fallback.cjs', 'native'], {
    cwd: app,
    encoding: 'utf8'
  })
  expect([status, stderr.includes('ERR_SHARDLOG_NO_NATIVE')]).toEqual([1, true])
})

it('is silent on platforms that no addon is shipped for, whatever their names', () => {
  const preload = path.join(app, 'platform.cjs')
  for (const [platform, arch] of [
    ['freebsd', 'x64'],
    ['android', 'arm64'],
    ['aix', 'ppc64'],
    ['linux', 'riscv64']
  ]) {
    const redefine = `for (const [name, value] of [['platform', '${platform}'], ['arch', '${arch}']]) Object.defineProperty(process, name, { value })
const os = require('node:os'); os.platform = () => '${platform}'; os.arch = () => '${arch}'`
    fs.writeFileSync(preload, redefine)
    expect(start(app, ['--require', preload])).toMatchObject({ engine: 'js', stderr: '', status: 0 })
  }
})
