import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BuildOptions, build } from 'esbuild'
import { beforeAll, describe, expect, it } from 'vitest'
import { makeProject, program } from './project'

// A bundle that lies beside the packages runs natively; one by itself runs on the JavaScript
// engine, and the process is warned.
const entry = `
import shardlog, { Logger } from 'shardlog'
import pino from 'shardlog/pino'
const lines = []
const logger = new Logger({ logFilePath: 'bundled.log', bufferSize: 2 ** 22, numShards: 2 })
const accepted = logger.log('raw')
const { engine } = logger.getStatsSnapshot()
logger.closeSync()
pino({ base: null, timestamp: false }, { write: line => lines.push(line) }).info({ item: 1 }, 'bundled %s', 'line')
console.log(JSON.stringify({ engine, accepted, lines, functions: [shardlog, pino].map(each => typeof each) }))
`
const EXPECTED = {
  accepted: true,
  lines: ['{"level":30,"item":1,"msg":"bundled line"}\n'],
  functions: ['function', 'function']
}
/** What programs put in front of bundles of ES modules whose packages are CommonJS. */
const banner = { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" }

let home: string
let apart: string

beforeAll(() => {
  const rollup = [
    'rollup@4.68.8',
    '@rollup/plugin-commonjs@29',
    '@rollup/plugin-node-resolve@16',
    '@rollup/plugin-json@6'
  ]
  const tracers = ['@vercel/ncc@0.45.0', '@vercel/nft@1.11.5']
  home = makeProject('bundlers', [
    ...rollup,
    ...tracers,
    '@rspack/core@2.3.3',
    'webpack@5.113.0',
    'pino-abstract-transport@3.0.0'
  ])
  apart = path.join(path.dirname(home), 'bundles')
  fs.mkdirSync(apart)
  fs.writeFileSync(path.join(home, 'entry.mjs'), entry)
})

/** Runs a bundle in the project and, copied, where there are no packages. */
function check(file: string): void {
  for (const [folder, engine] of [
    [home, 'native'],
    [apart, 'js']
  ] as const) {
    const target = path.join(folder, path.basename(file))
    if (target !== file) fs.copyFileSync(file, target)
    const { stdout, stderr } = spawnSync(process.execPath, [target], { cwd: folder, encoding: 'utf8', timeout: 30_000 })
    expect(stdout, stderr).toMatch(/^\{/)
    expect(JSON.parse(stdout)).toEqual({ engine, ...EXPECTED })
    expect(stderr.match(/SHARDLOG_JS_ENGINE/g) ?? []).toHaveLength(engine === 'js' ? 1 : 0)
  }
}

describe('bundles', () => {
  it.each<[string, string, BuildOptions]>([
    ['CommonJS', 'esbuild.cjs', { format: 'cjs' }],
    ['CommonJS, minified', 'esbuild.min.cjs', { format: 'cjs', minify: true }],
    ['ES modules', 'esbuild.mjs', { format: 'esm', banner }],
    ['ES modules, minified', 'esbuild.min.mjs', { format: 'esm', banner, minify: true }]
  ])('of esbuild: %s', async (_, name, options) => {
    const outfile = path.join(home, name)
    await build({
      entryPoints: [path.join(home, 'entry.mjs')],
      outfile,
      bundle: true,
      platform: 'node',
      logLevel: 'error',
      ...options
    })
    check(outfile)
  })

  it('of esbuild with splitting', async () => {
    const splitting: BuildOptions = { format: 'esm', splitting: true, banner, outExtension: { '.js': '.mjs' } }
    const outdir = path.join(home, 'split')
    const entryPoints = { split: path.join(home, 'entry.mjs') }
    await build({ entryPoints, outdir, bundle: true, platform: 'node', logLevel: 'error', ...splitting })
    const { stdout, stderr } = spawnSync(process.execPath, [path.join(outdir, 'split.mjs')], {
      cwd: home,
      encoding: 'utf8'
    })
    expect(JSON.parse(stdout || stderr)).toEqual({ engine: 'native', ...EXPECTED })
  })

  /** Runs a build script in the project. */
  function runScript(name: string, text: string): void {
    fs.writeFileSync(path.join(home, name), text)
    const { status, stderr, stdout } = spawnSync(process.execPath, [name], {
      cwd: home,
      encoding: 'utf8',
      timeout: 120_000
    })
    expect(status, stderr + stdout).toBe(0)
  }

  it('of rollup', () => {
    const text = `
import { rollup } from 'rollup'
import commonjs from '@rollup/plugin-commonjs'
import json from '@rollup/plugin-json'
import { nodeResolve } from '@rollup/plugin-node-resolve'
const plugins = [nodeResolve({ preferBuiltins: true }), commonjs({ ignoreDynamicRequires: true }), json()]
const bundle = await rollup({ input: 'entry.mjs', plugins, onwarn: () => undefined })
await bundle.write({ file: 'rollup.cjs', format: 'cjs' })
await bundle.write({ file: 'rollup.mjs', format: 'es', banner: ${JSON.stringify(banner.js)} })`
    runScript('rollup-build.mjs', text)
    check(path.join(home, 'rollup.cjs'))
    check(path.join(home, 'rollup.mjs'))
  })

  it.each(['@rspack/core', 'webpack'])('of %s', packageName => {
    const name = path.basename(packageName)
    const text = `
import * as loaded from '${packageName}'
const make = loaded.rspack ?? loaded.default
const output = { path: process.cwd(), filename: '${name}.cjs' }
make({ mode: 'production', target: 'node', entry: './entry.mjs', output }, (error, stats) => {
  if (error ?? stats.hasErrors()) { console.error(error ?? stats.toString()); process.exitCode = 1 }
})`
    runScript(`${name}-build.mjs`, text)
    check(path.join(home, `${name}.cjs`))
  })

  it("of Vite's build for servers", async () => {
    const { build } = await import(
      pathToFileURL(createRequire(createRequire(__filename).resolve('vitest')).resolve('vite')).href
    )
    const options = {
      ssr: 'entry.mjs',
      outDir: 'vite',
      emptyOutDir: true,
      rollupOptions: { output: { entryFileNames: 'vite.mjs' } }
    }
    await build({ root: home, configFile: false, logLevel: 'error', ssr: { noExternal: true }, build: options })
    const { stdout, stderr } = spawnSync(process.execPath, ['vite/vite.mjs'], { cwd: home, encoding: 'utf8' })
    expect(JSON.parse(stdout || stderr)).toEqual({ engine: 'native', ...EXPECTED })
  })
})

describe('tracers', () => {
  it('ncc takes the addon along, and the modules of transports', () => {
    const text = entry
      .replace(/import (.*), \{ Logger \} from ('.*')/, 'const $1 = require($2), { Logger } = $1')
      .replace(/import (.*) from ('.*')/, 'const $1 = require($2)')
    fs.writeFileSync(path.join(home, 'traced.js'), text)
    const { status, stderr } = spawnSync(program(home, 'ncc'), ['build', 'traced.js', '-o', 'ncc', '-q'], {
      cwd: home,
      encoding: 'utf8'
    })
    expect(status, stderr).toBe(0)
    fs.cpSync(path.join(home, 'ncc'), path.join(apart, 'ncc'), { recursive: true })
    const { stdout } = spawnSync(process.execPath, ['ncc/index.js'], { cwd: apart, encoding: 'utf8' })
    expect(JSON.parse(stdout)).toEqual({ engine: 'native', ...EXPECTED })
    expect(fs.readdirSync(path.join(home, 'ncc'))).toEqual(
      expect.arrayContaining(['file.js', 'transport-worker.js', 'prebuilds'])
    )
  })

  it('nft finds the addon, and the modules of transports', () => {
    const text = `
import { nodeFileTrace } from '@vercel/nft'
const { fileList } = await nodeFileTrace(['entry.mjs'])
const wanted = ['shardlog/prebuilds/linux-${process.arch}/shardlog.glibc.node', 'shardlog/dist/pino/file.js', 'shardlog/dist/pino/transport-worker.js', 'shardlog/package.json', 'thread-stream/lib/worker.js']
console.log(JSON.stringify(wanted.filter(name => !fileList.has('node_modules/' + name))))`
    fs.writeFileSync(path.join(home, 'trace.mjs'), text)
    const { stdout } = spawnSync(process.execPath, ['trace.mjs'], { cwd: home, encoding: 'utf8', timeout: 60_000 })
    expect(JSON.parse(stdout)).toEqual([])
  })
})
