import fs from 'node:fs'
import path from 'node:path'
import { buildSync } from 'esbuild'
import { expect, inject, it } from 'vitest'
import { roundTrip, run } from './run'

const app = inject('app')

/**
 * Bundles the round trip with esbuild into a folder that has no node_modules; returns the bundle's
 * path.
 */
function bundle(name: string, external: string[]): string {
  const entry = path.join(app, `${name}.cjs`)
  fs.writeFileSync(entry, roundTrip(`${name}.log`))
  const target = path.join(path.dirname(app), name, 'dist', 'server', 'app.cjs')
  buildSync({ entryPoints: [entry], outfile: target, bundle: true, platform: 'node', external, logLevel: 'error' })
  return target
}

const runBundle = (file: string) => JSON.parse(run([process.execPath, file], path.dirname(file)))

it('runs from a bundle with the addons copied two folders above it', () => {
  const file = bundle('bundled', [])
  const home = path.join(path.dirname(file), '..', '..')
  fs.cpSync(path.join(app, 'node_modules', 'shardlog', 'prebuilds'), path.join(home, 'prebuilds'), { recursive: true })
  expect(runBundle(file)).toMatchObject({ engine: 'native', entries: ['from log', 'from logBytes'] })
})

it('runs from a bundle without its addons, on the JavaScript engine', () => {
  expect(runBundle(bundle('alone', []))).toMatchObject({ engine: 'js', entries: ['from log', 'from logBytes'] })
})

it('runs natively from a bundle that leaves the package external', () => {
  const file = bundle('external', ['shardlog'])
  const home = path.join(path.dirname(file), '..', '..')
  fs.cpSync(path.join(app, 'node_modules'), path.join(home, 'node_modules'), { recursive: true })
  expect(runBundle(file)).toMatchObject({ engine: 'native', entries: ['from log', 'from logBytes'] })
})
