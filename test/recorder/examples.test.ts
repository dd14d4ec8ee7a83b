import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'
import { readSnapshot } from '../../lib/public'
import { packageRoot } from '../support/shardlog'
import { snapshotsIn } from '../support/snapshots'
import { tempDir } from '../support/temp'

// The servers among the examples are run in test/package, where there is something to serve with.

function runProgram(program: string, ...args: string[]): string {
  const file = path.join(packageRoot, program)
  const limits = { encoding: 'utf8', timeout: 60_000, killSignal: 'SIGKILL' } as const
  const { stdout, stderr, status } = spawnSync(process.execPath, [file, ...args], limits)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

it('runs the simple example, and the one that reads what it has written', () => {
  const directory = tempDir()
  expect(runProgram('examples/flight-recorder/simple.js', directory)).toContain(
    '102 events of simple, the last: slow query'
  )
  const read = runProgram('examples/flight-recorder/read-snapshot.js', ...snapshotsIn(directory))
  expect(read).toContain('102 events; 102 recorded, 0 overwritten')
  expect(read).toContain('warn  db: slow query {"table":"carts","ms":512}')
})

it('runs the example of eight processes, one of which is killed', () => {
  const told = runProgram('examples/flight-recorder/distributed.js', tempDir())
  expect(told).toMatch(/^8 snapshots, \d+ events of 8 processes$/m)
  expect(told).toMatch(/^the last of node 5: .*, round (29|30)$/m)
  const [, files] = /^shardlog view --list (.*)$/m.exec(told) ?? []
  const reasons = files!.split(' ').map(file => readSnapshot(path.resolve(file)).reason)
  expect(reasons.sort()).toEqual([...Array<string>(7).fill('end'), 'killed'])
})

it('runs the demo of a crash, whose recorder tells the bug', () => {
  const told = runProgram('demo/crash/main.js')
  expect(told).toMatch(/its last words +TypeError: Cannot read properties of undefined \(reading 'perEuro'\)/)
  expect(told).toMatch(
    /quotes: rates are renewed refresh=\d+ entries=4\n.*quote asked for .* entries=0\n.*FATAL process/
  )
  expect(told).toContain('✓ The table of rates was empty')
})
