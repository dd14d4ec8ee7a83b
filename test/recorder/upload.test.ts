import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { CreateBucketCommand, GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Recorder, type RecorderOptions, readSnapshot, type UploadInfo } from '../../lib/public'
import { kill, live, othersIn, snapshotsIn, start } from '../support/snapshots'
import { tempDir } from '../support/temp'

const KEYS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_REGION: 'us-east-1' }
const INSTALL_MS = 300_000

function open(options: RecorderOptions): Recorder {
  const recorder = new Recorder({ onCrash: false, path: false, service: 'shop', ...options })
  onTestFinished(() => recorder.close())
  return recorder
}

const marksOf = (directory: string): string[] => othersIn(directory).filter(name => name.includes('.upload.'))

/** What is written to standard error. */
function errors(): string[] {
  const told: string[] = []
  const spy = vi.spyOn(process.stderr, 'write').mockImplementation(text => told.push(String(text)) > 0)
  onTestFinished(() => spy.mockRestore())
  return told
}

describe('a function that uploads', () => {
  it('is given each snapshot, and what it is', async () => {
    const directory = tempDir()
    const given: [string, UploadInfo][] = []
    const recorder = open({ directory, upload: async (file, info) => void given.push([file, info]) })
    recorder.record('info', 't', 'm')
    const file = await recorder.snapshot('checkpoint')
    expect(await recorder.uploaded()).toBe(true)
    const info = { service: 'shop', hostname: os.hostname(), pid: process.pid, reason: 'checkpoint' }
    expect(given).toEqual([[file, info]])
    expect(recorder.stats).toMatchObject({ uploads: 1, uploadErrors: 0 })
    expect(recorder.metrics()).toContain('shardlog_recorder_uploads_total 1')
    expect(othersIn(directory)).toEqual([])
  })

  it('is called again when it fails, and once more with all that failed when another gets through', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    const directory = tempDir()
    const told = errors()
    let isUp = false
    let calls = 0
    const upload = (): void => {
      calls++
      if (!isUp) throw new Error('no way there')
    }
    const recorder = open({ directory, upload })
    recorder.record('info', 't', 'm')
    const first = await recorder.snapshot('one')
    expect(await recorder.uploaded()).toBe(false)
    expect(calls).toBe(5)
    expect(told).toEqual([
      `shardlog: cannot upload ${first}: no way there (ERR_SHARDLOG_UPLOAD); further ones are counted\n`
    ])
    expect(recorder.stats).toMatchObject({ uploads: 0, uploadErrors: 1, lastError: { code: 'ERR_SHARDLOG_UPLOAD' } })
    expect(marksOf(directory)).toHaveLength(1)
    isUp = true
    await recorder.snapshot('two')
    expect(await recorder.uploaded()).toBe(true)
    expect(recorder.stats).toMatchObject({ uploads: 2, uploadErrors: 1 })
    expect(othersIn(directory)).toEqual([])
  })

  it('is given at the next start what a process has left, once, and not what is others', async () => {
    const directory = tempDir()
    for (const service of ['shop', 'other']) {
      const child = start('snapshots', {
        directory,
        service,
        path: false,
        upload: { bucket: 'b', endpoint: 'http://127.0.0.1:1' }
      })
      await once(child.stdout, 'data')
      await kill(child)
    }
    expect(marksOf(directory)).toHaveLength(2)
    // As of a kill before the file had its name.
    const [mark] = marksOf(directory)
    const lost = mark!.replace(/-left/, '-gone')
    fs.copyFileSync(path.join(directory, mark!), path.join(directory, lost))
    const files: string[] = []
    const upload = (file: string): void => void files.push(file)
    const both = [open({ directory, upload }), open({ directory, upload })]
    for (const recorder of both) await recorder.uploaded()
    expect(files.map(file => readSnapshot(file).service)).toEqual(['shop'])
    const [others] = marksOf(directory)
    expect(JSON.parse(fs.readFileSync(path.join(directory, others!), 'utf8'))).toMatchObject({ service: 'other' })
  }, 60_000)

  it('leaves no mark of what retention removes', async () => {
    const directory = tempDir()
    errors()
    let release = (): void => undefined
    const held = new Promise<void>(resolve => {
      release = resolve
    })
    const recorder = open({ directory, retention: { files: 1 }, upload: () => held })
    recorder.record('info', 't', 'm')
    for (const reason of ['one', 'two', 'three']) await recorder.snapshot(reason)
    expect(snapshotsIn(directory)).toHaveLength(1)
    expect(marksOf(directory)).toHaveLength(1)
    release()
    await recorder.uploaded()
    expect(othersIn(directory)).toEqual([])
  })
})

it('refuses what cannot be an upload', () => {
  const wrong = [{}, { bucket: '' }, { bucket: 'b', endpoint: 'nowhere' }, { bucket: 'b', buckt: 1 }, 'b', true]
  for (const upload of wrong) expect(() => open({ upload: upload as never })).toThrow(/recorder\.upload must be/)
})

it('tells what package is missing, and keeps the file for the next start', async () => {
  // Another copy of the package, beside which it is not installed.
  const folder = tempDir()
  const root = path.join(folder, 'node_modules', 'shardlog')
  fs.mkdirSync(root, { recursive: true })
  for (const name of ['dist', 'lib', 'build', 'package.json']) fs.symlinkSync(path.resolve(name), path.join(root, name))
  const directory = tempDir()
  const script = `
const { Recorder } = require('shardlog')
const recorder = new Recorder({ directory: process.argv[1], path: false, upload: { bucket: 'b' } })
recorder.record('info', 't', 'm')
recorder.snapshot('x').then(() => recorder.uploaded()).then(all => console.log(all, recorder.stats.uploadErrors))`
  for (const name of fs.readdirSync('node_modules')) {
    if (name === '@aws-sdk' || name === 'shardlog') continue
    fs.symlinkSync(path.resolve('node_modules', name), path.join(folder, 'node_modules', name))
  }
  const args = ['--preserve-symlinks', '-e', script, directory]
  const env = { ...process.env, NODE_PRESERVE_SYMLINKS: '1', NODE_PRESERVE_SYMLINKS_MAIN: '1' }
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, env, encoding: 'utf8', timeout: 30_000 })
  expect(stderr).toContain('need the package @aws-sdk/client-s3')
  expect(stderr).toContain('(ERR_SHARDLOG_PACKAGE)')
  expect(stdout).toBe('false 1\n')
  expect(marksOf(directory)).toHaveLength(1)
})

it('holds up the end of a process no longer than it may, though nobody answers', async () => {
  const silent = http.createServer(() => undefined).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  onTestFinished(() => {
    silent.closeAllConnections()
    silent.close()
  })
  const { port } = silent.address() as AddressInfo
  const directory = tempDir()
  const upload = {
    bucket: 'b',
    endpoint: `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    attempts: 1,
    timeout: 30_000,
    exitTimeout: 200
  }
  const child = spawn(
    process.execPath,
    [path.resolve('test/recorder/children/record.js'), 'throws', JSON.stringify({ directory, upload })],
    {
      env: { ...process.env, ...KEYS },
      stdio: 'ignore'
    }
  )
  const [status] = (await once(child, 'exit')) as [number]
  expect(status).toBe(1)
  expect(snapshotsIn(directory)).toHaveLength(1)
  expect(marksOf(directory)).toHaveLength(1)
})

/** moto's server of S3, in a folder of its own; null if it cannot be had. */
function installMoto(): string | null {
  const python = (...args: string[]) => spawnSync('python3', args, { encoding: 'utf8', timeout: INSTALL_MS })
  if (python('-c', 'import moto.server, flask').status === 0) return ''
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-moto-'))
  const wanted = ['moto[s3]', 'flask', 'flask-cors']
  if (python('-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--target', folder, ...wanted).status === 0)
    return folder
  fs.rmSync(folder, { recursive: true, force: true })
  return null
}

const moto = installMoto()
const name =
  moto === null ? "uploads to moto's S3 (left out: moto cannot be installed from PyPI)" : "uploads to moto's S3"

describe.skipIf(moto === null)(name, () => {
  let server: ChildProcess
  let endpoint: string
  let client: S3Client
  beforeAll(async () => {
    const env = { ...process.env, ...KEYS, ...(moto ? { PYTHONPATH: moto } : {}) }
    // The port is whatever the system gives.
    const script = `
from werkzeug.serving import make_server
from moto.server import DomainDispatcherApplication, create_backend_app
server = make_server('127.0.0.1', 0, DomainDispatcherApplication(create_backend_app), threaded=True)
print(server.port, flush=True)
server.serve_forever()`
    server = spawn('python3', ['-c', script], { env, stdio: ['ignore', 'pipe', 'ignore'] })
    const failed = once(server, 'exit').then(([code]) => {
      throw new Error(`moto's server has ended with ${code}`)
    })
    failed.catch(() => undefined)
    const [port] = (await Promise.race([once(server.stdout!, 'data'), failed])) as [Buffer]
    endpoint = `http://127.0.0.1:${String(port).trim()}`
    const credentials = { accessKeyId: 'test', secretAccessKey: 'test' }
    client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials })
    await client.send(new CreateBucketCommand({ Bucket: 'snapshots' }))
  }, INSTALL_MS)
  afterAll(() => {
    client?.destroy()
    server?.kill('SIGKILL')
    if (moto) fs.rmSync(moto, { recursive: true, force: true })
  })

  const keysUnder = async (prefix: string): Promise<string[]> => {
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket: 'snapshots', Prefix: prefix }))
    return Contents.map(({ Key }) => String(Key))
  }

  /** The child with the keys that the SDK's chain finds in the environment. */
  const lives = (life: string, options: object) => live(life, options, KEYS)

  const s3 = (prefix: string) => ({ bucket: 'snapshots', prefix, endpoint, region: 'us-east-1', forcePathStyle: true })

  it('puts each there, byte for byte, and counts it', async () => {
    const directory = tempDir()
    const { stdout, stderr } = lives('uploads', { directory, service: 'shop', upload: s3('a/') })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({ all: true, stats: { uploads: 1, uploadErrors: 0 } })
    const [file] = snapshotsIn(directory)
    const key = `a/shop/${os.hostname()}/${path.basename(file!)}`
    expect(await keysUnder('a/')).toEqual([key])
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'snapshots', Key: key }))
    expect(Buffer.from(await Body!.transformToByteArray())).toEqual(fs.readFileSync(file!))
    expect(othersIn(directory)).toEqual([])
  })

  it('puts that of a crash there before the process has ended', async () => {
    const directory = tempDir()
    const upload = { ...s3('crash/'), exitTimeout: 30_000 }
    expect(lives('throws', { directory, service: 'shop', upload }).status).toBe(1)
    expect(await keysUnder('crash/')).toHaveLength(1)
    expect(othersIn(directory)).toEqual([])
  })

  it('tells a bucket that is missing, and puts the snapshot there at a later start', async () => {
    const directory = tempDir()
    const wrong = { ...s3('late/'), bucket: 'no-such-bucket', attempts: 1, exitTimeout: 0 }
    const { stdout, stderr, status } = lives('uploads', { directory, service: 'shop', upload: wrong })
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { all: false, stats: { uploads: 0, uploadErrors: 1 } }])
    expect(stderr).toMatch(/cannot upload .*NoSuchBucket.*\(ERR_SHARDLOG_UPLOAD\)/)
    expect(marksOf(directory)).toHaveLength(1)
    const { stdout: later } = lives('uploadsLeft', { directory, service: 'shop', upload: s3('late/') })
    expect(JSON.parse(later)).toMatchObject({ all: true, stats: { uploads: 1 } })
    expect(await keysUnder('late/')).toHaveLength(1)
    expect(marksOf(directory)).toEqual([])
  })

  it('uploads what was harvested of a process that was killed, under its name', async () => {
    const directory = tempDir()
    const child = start('hangs', { directory, service: 'shop' })
    await once(child.stdout, 'data')
    await kill(child)
    const { stdout } = lives('uploadsLeft', { directory, service: 'shop', upload: s3('killed/') })
    expect(JSON.parse(stdout)).toMatchObject({ all: true, stats: { uploads: 1 } })
    expect(await keysUnder('killed/')).toEqual([expect.stringContaining(`shardlog-${child.pid}-`)])
  })
})
