import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readSnapshot, type Snapshot } from '../../lib/public'
import { readArenaCounts } from '../../lib/recorder/arena'
import { hasMemoryCgroup, memoryCgroup } from '../support/memory-cgroup'
import { succeeds } from '../support/run'
import { packageRoot } from '../support/shardlog'
import { childProgram, kill, live, othersIn, snapshotsIn, start } from '../support/snapshots'
import { tempDir } from '../support/temp'

// Ends that no code of the process sees coming.

const LIMIT = 256 << 20

/** The snapshot that the next start makes, of which nothing is left then. */
function harvested(directory: string, pid: number | undefined): Snapshot {
  const { stdout } = live('harvests', { directory })
  const [file] = JSON.parse(stdout) as string[]
  const snapshot = readSnapshot(file!)
  expect(snapshot).toMatchObject({ reason: 'killed', pid, counters: { damaged: 0 } })
  expect(othersIn(directory)).toEqual([])
  return snapshot
}

/** Runs the child without core dumps, which would lie about. */
function spawnChild(life: string, options: object, ...args: string[]) {
  const command = 'ulimit -c 0; exec "$0" "$@"'
  const child = spawn('sh', ['-c', command, process.execPath, childProgram, life, JSON.stringify(options), ...args], {
    stdio: ['pipe', 'pipe', 'ignore']
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return child
}

const endOf = async (child: ReturnType<typeof spawnChild>): Promise<unknown> => (await once(child, 'exit'))[1]

describe('a process that ends without a word', () => {
  it('is told of after process.abort(), which ends it as before', async () => {
    const directory = tempDir()
    const child = spawnChild('aborts', { directory })
    expect(await endOf(child)).toBe('SIGABRT')
    expect(harvested(directory, child.pid).events).toMatchObject([{ message: 'before' }])
  })

  it.each(['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTERM'] as const)('is told of after %s', async signal => {
    const directory = tempDir()
    const child = spawnChild('waits', { directory })
    await once(child.stdout, 'data')
    const ended = endOf(child)
    child.kill(signal)
    expect(await ended).toBe(signal)
    expect(harvested(directory, child.pid).events).toMatchObject([{ message: 'before' }])
  })

  const hasCompiler = succeeds('cc', ['--version'])
  const name = `is told of after an addon has written where nothing is${hasCompiler ? '' : ' (left out: no C compiler)'}`
  it.skipIf(!hasCompiler)(name, async () => {
    const directory = tempDir()
    const folder = tempDir()
    const source = path.join(folder, 'bad.c')
    fs.writeFileSync(
      source,
      'void* napi_register_module_v1(void* env, void* exports) { (void)env; *(volatile int*)0 = 1; return exports; }\n'
    )
    const addon = path.join(folder, 'bad.node')
    expect(succeeds('cc', ['-shared', '-fPIC', '-o', addon, source])).toBe(true)
    const child = spawnChild('loadsBadAddon', { directory }, addon)
    expect(await endOf(child)).toBe('SIGSEGV')
    expect(harvested(directory, child.pid).events).toMatchObject([{ message: 'before' }])
  })

  const oom = `is told of after the out-of-memory killer${hasMemoryCgroup ? '' : ' (left out: needs root and a memory cgroup)'}`
  it.skipIf(!hasMemoryCgroup)(oom, async () => {
    const directory = tempDir()
    const child = spawnChild('eats', { directory, capacity: 5000 })
    await once(child.stdout, 'data')
    const group = memoryCgroup(LIMIT)
    group.add(child.pid!)
    const ended = endOf(child)
    child.stdin.write('now\n')
    expect(await ended).toBe('SIGKILL')
    expect(group.kills()).toBeGreaterThan(0)
    const numbers = harvested(directory, child.pid).events.map(event => event.fields.n as number)
    expect(numbers.length).toBeGreaterThan(10)
    expect(numbers).toEqual(numbers.map((_, at) => at + 1))
  })
})

describe('a process that hangs', () => {
  const cli = path.join(packageRoot, 'dist', 'cli', 'main.js')

  /** What the command says of the ring, from outside. */
  function outside(directory: string): Snapshot {
    const ring = path.join(directory, '.record.recorder')
    const { status, stdout } = spawnSync(process.execPath, [cli, 'snapshot', ring], {
      encoding: 'utf8',
      timeout: 30_000
    })
    expect(status).toBe(0)
    return readSnapshot(stdout.trim())
  }

  it('is looked into from outside, which it does not notice', async () => {
    const directory = tempDir()
    const child = start('hangs', { directory })
    await once(child.stdout, 'data')
    for (let i = 0; i < 2; i++) {
      const { reason, pid, events } = outside(directory)
      expect([reason, pid]).toEqual(['external', child.pid])
      expect(events).toMatchObject([{ message: 'about to hang', fields: { loop: true } }])
    }
    expect(child.exitCode).toBe(null)
    expect(readArenaCounts(path.join(directory, '.record.recorder'))).toMatchObject({ isOwned: true, recorded: 1 })
    await kill(child)
    expect(harvested(directory, child.pid).events).toHaveLength(1)
    expect(snapshotsIn(directory)).toHaveLength(3)
  })

  it('is looked into while it is stopped, and goes on', async () => {
    const directory = tempDir()
    const child = start('forever', { directory, capacity: 5000 })
    await once(child.stdout, 'data')
    child.kill('SIGSTOP')
    const numbers = outside(directory).events.map(event => event.fields.n as number)
    expect(numbers.length).toBeGreaterThan(0)
    expect(numbers).toEqual(numbers.map((_, at) => numbers[0]! + at))
    child.kill('SIGCONT')
    let told = 0
    child.stdout.on('data', (some: Buffer) => {
      told = Number(some.toString().trimEnd().split('\n').at(-1))
    })
    while (told <= numbers.at(-1)!) await once(child.stdout, 'data')
    await kill(child)
  })
})
