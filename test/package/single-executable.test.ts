import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { buildSync } from 'esbuild'
import { expect, it } from 'vitest'
import { makeProject, program } from './project'
import { roundTrip, run } from './run'

/** What Node looks for in its own executable. */
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** Makes a single executable application of the round trip; returns its path. */
function makeExecutable(project: string): string {
  const at = (name: string): string => path.join(project, name)
  fs.writeFileSync(at('entry.cjs'), roundTrip('single.log'))
  buildSync({
    entryPoints: [at('entry.cjs')],
    outfile: at('main.cjs'),
    bundle: true,
    platform: 'node',
    logLevel: 'error'
  })
  const config = { main: 'main.cjs', output: 'main.blob', disableExperimentalSEAWarning: true }
  fs.writeFileSync(at('sea.json'), JSON.stringify(config))
  execFileSync(process.execPath, ['--experimental-sea-config', 'sea.json'], { cwd: project })
  fs.copyFileSync(process.execPath, at('service'))
  const inject = [at('service'), 'NODE_SEA_BLOB', at('main.blob'), '--sentinel-fuse', FUSE]
  execFileSync(program(project, 'postject'), inject)
  return at('service')
}

it('a single executable application runs natively beside the package, and on the JavaScript engine apart from it', () => {
  const project = makeProject('single executable', ['postject@1.0.0-alpha.6'])
  const executable = makeExecutable(project)
  const entries = ['from log', 'from logBytes']
  expect(JSON.parse(run([executable], project))).toMatchObject({ engine: 'native', entries })
  const apart = path.join(path.dirname(project), 'single alone')
  fs.mkdirSync(apart)
  fs.renameSync(executable, path.join(apart, 'service'))
  expect(JSON.parse(run([path.join(apart, 'service')], apart))).toMatchObject({ engine: 'js', entries })
})
