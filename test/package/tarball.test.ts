import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
import { inspect } from '../../scripts/inspect-addon'
import { brokenLinks } from '../../scripts/links'

const files = execFileSync('tar', ['tzf', inject('tarball')], { encoding: 'utf8' })
  .split('\n')
  .filter(Boolean)
  .map(name => name.replace(/^package\//, ''))
  .sort()
const installed = path.join(inject('app'), 'node_modules', 'shardlog')
const manifest = JSON.parse(fs.readFileSync(path.join(installed, 'package.json'), 'utf8'))

it('holds compiled JavaScript, types, addons and the documents, and nothing to compile', () => {
  const strangers = files.filter(
    name =>
      !/^(package\.json|(README|CHANGELOG|CONTRIBUTING|SECURITY)\.md|LICENSE)$/.test(name) &&
      !/^docs\/[a-z-]+(\/[a-z0-9-]+)?\.md$/.test(name) &&
      // For editors.
      name !== 'docs/reference/configuration.schema.json' &&
      !/^dist\/.+\.(m?js|d\.m?ts)$/.test(name) &&
      // For other addons.
      name !== 'include/shardlog/recorder.h' &&
      // New Relic's agent looks for it there.
      name !== 'lib/tools.js' &&
      !/^prebuilds\/.+\.node$/.test(name)
  )
  expect(strangers).toEqual([])
  expect(files).toContain('include/shardlog/recorder.h')
})

it('has no .gyp file and no install script, so that no package manager tries to build it', () => {
  expect(files.filter(name => name.endsWith('.gyp'))).toEqual([])
  expect(manifest.gypfile).toBe(false)
  expect(Object.keys(manifest.scripts).filter(name => /^(pre|post)?install$|^prepare$/.test(name))).toEqual([])
})

it('depends on the loader of addons, the small packages that pino is made of, and what reads configurations, not on pino', () => {
  expect(Object.keys(manifest.dependencies).sort()).toEqual([
    '@pinojs/redact',
    'ajv',
    'node-gyp-build',
    'on-exit-leak-free',
    'pino-abstract-transport',
    'pino-std-serializers',
    'quick-format-unescaped',
    'safe-stable-stringify',
    'sonic-boom',
    'thread-stream',
    'yaml'
  ])
})

it('has an addon for Linux on x64 and arm64, glibc and musl', () => {
  expect(files.filter(name => name.endsWith('.node'))).toEqual([
    'prebuilds/linux-arm64/shardlog.glibc.node',
    'prebuilds/linux-arm64/shardlog.musl.node',
    'prebuilds/linux-x64/shardlog.glibc.node',
    'prebuilds/linux-x64/shardlog.musl.node'
  ])
})

it.each(['x64', 'arm64'].flatMap(arch => ['glibc', 'musl'].map(libc => ({ arch, libc }))))(
  'needs no more than $libc itself on $arch, and glibc no newer than 2.28',
  ({ arch, libc }) => {
    const file = path.join(installed, 'prebuilds', `linux-${arch}`, `shardlog.${libc}.node`)
    expect(() => inspect(file, { arch, libc })).not.toThrow()
  }
)

it('has the licence and its author, and names no platform that it is for', () => {
  expect(files).toContain('LICENSE')
  expect(fs.readFileSync(path.join(installed, 'LICENSE'), 'utf8')).toMatch(
    /^MIT License\n\nCopyright .* the shardlog authors\n/
  )
  expect(manifest).toMatchObject({ license: 'MIT', author: 'the shardlog authors' })
  // What runs where is found out by trying: the JavaScript engine runs on every platform.
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['os']))
  expect(Object.keys(manifest)).not.toEqual(expect.arrayContaining(['cpu']))
})

it('has whatever its documents link to', () => {
  const documents = files.filter(name => name.endsWith('.md'))
  const texts = new Map(documents.map(name => [name, fs.readFileSync(path.join(installed, name), 'utf8')]))
  expect(documents).toContain('docs/reference/api.md')
  expect(brokenLinks({ texts, has: file => files.includes(file) })).toEqual([])
})

/** The paths in a package's `exports`, however deep. */
function leaves(exports: string | Record<string, unknown>): string[] {
  if (typeof exports === 'string') return [exports]
  return Object.values(exports).flatMap(value => leaves(value as string | Record<string, unknown>))
}

it('names every file that package.json points at', () => {
  const pointers = [manifest.main, manifest.types, manifest.bin.shardlog, ...leaves(manifest.exports)]
  const fixed = pointers.filter(pointer => !pointer.includes('*'))
  for (const pointer of fixed) expect(files).toContain(path.posix.normalize(pointer))
})
