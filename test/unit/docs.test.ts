import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { brokenLinks } from '../../scripts/links'

const root = path.join(__dirname, '..', '..')
const { summary } = createRequire(__filename)('../../bench/src/update-docs') as { summary(run: object): string }
const read = (name: string) => fs.readFileSync(path.join(root, name), 'utf8')

const SKIPPED = /^(node_modules|\.git|dist|build.*|prebuilds|bench\/results)$/

/**
 * Files below a folder of the repository, by their paths from its root, without what is built or
 * installed.
 */
function filesBelow(folder: string): string[] {
  return fs.readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap(entry => {
    const name = path.posix.join(folder, entry.name)
    if (SKIPPED.test(name) || entry.name === 'node_modules') return []
    return entry.isDirectory() ? filesBelow(name) : [name]
  })
}

const files = filesBelow('')
const documents = files.filter(name => /^(docs\/.+|[A-Z]+)\.md$/.test(name))
const sources = files.filter(name => /\.([cm]?[jt]s|h|cc|pml|py|sh|md)$/.test(name))

/** What `npm pack` takes: the parts of `files` in package.json, and package.json itself. */
const packed = new Set<string>(['package.json', ...JSON.parse(read('package.json')).files])
const isPacked = (name: string) => packed.has(name) || packed.has(name.split('/')[0] as string)

describe('documents', () => {
  it('link to files and headings that exist and are in the package', () => {
    const texts = new Map(documents.map(name => [name, read(name)]))
    expect(brokenLinks({ texts, has: name => files.includes(name) && isPacked(name) })).toEqual([])
  })

  it('with a link to a missing file, a missing heading or a file outside the package are found', () => {
    const texts = new Map([
      [
        'a.md',
        '[file](missing.md) [heading](docs/b.md#missing) [good](docs/b.md#a-heading) [web](https://example.org)'
      ],
      ['docs/b.md', '# A heading\n[up](../a.md) [inside](#a-heading) `[code](missing.md)`']
    ])
    expect(brokenLinks({ texts, has: name => texts.has(name) })).toEqual([
      'a.md: missing.md',
      'a.md: docs/b.md#missing'
    ])
    expect(isPacked('test/unit/docs.test.ts')).toBe(false)
  })

  it('that comments and messages name exist', () => {
    const named = sources.flatMap(name =>
      [...read(name).matchAll(/(?<![\w./-])docs\/[\w/-]+\.md/g)].map(match => ({ name, target: match[0] }))
    )
    expect(named.length).toBeGreaterThan(30)
    expect(named.filter(({ name, target }) => name !== 'test/unit/docs.test.ts' && !files.includes(target))).toEqual([])
  })

  it('explain each decision in a record of its own, which the index lists', () => {
    const records = documents.filter(name => /^docs\/decisions\/(?!index)/.test(name)).map(name => path.basename(name))
    const listed = [...read('docs/decisions/index.md').matchAll(/^\| \[[\w-]+\]\(([\w-]+\.md)\)/gm)].map(
      match => match[1]
    )
    expect(listed.sort()).toEqual(records.sort())
    const byNumber = sources.filter(name => /\bDECISIONS\b|\bX\d{1,2}\b(?!-)/.test(read(name)))
    expect(byNumber.filter(name => name !== 'test/unit/docs.test.ts')).toEqual([])
  })

  it('define words in alphabetical order', () => {
    const words = [...read('docs/glossary.md').matchAll(/^\| ([a-z][\w -]*) \|/gm)]
      .map(match => match[1] as string)
      .slice(1)
    expect(words.length).toBeGreaterThan(20)
    expect(words).toEqual([...words].sort())
  })

  it('begin with a README whose figures are those of the benchmarks', () => {
    const readme = read('README.md')
    const benchmarks = read('docs/benchmarks.md')
    const rows = [...readme.matchAll(/^\| (.*) \| (.*) \| `npm run bench -- --only ([\w-]+)` \|$/gm)]
    expect(rows.length).toBeGreaterThan(5)
    for (const [, measure, figure, scenario] of rows) {
      expect(benchmarks).toContain(`| ${measure} | ${figure} |`)
      expect(files).toContain(`bench/src/scenarios/${scenario}.js`)
    }
  })

  it('have the table that the script of the benchmarks makes of the figures', () => {
    const rows = [...read('docs/benchmarks.md').matchAll(/^\| (.*) \| (.*) \| .* \| (?:yes|no) \| `([\w-]+)` \|$/gm)]
    const comparisons = rows.map(([, measure, figure, scenario]) => ({ measure, figure, scenario }))
    expect(read('README.md')).toContain(`-->\n\n${summary({ comparisons })}\n\n<!--`)
    expect(() => summary({ comparisons: comparisons.slice(1).filter(({ scenario }) => scenario !== 'read') })).toThrow(
      'has no measure'
    )
  })

  it('say what was measured, not what was hoped for', () => {
    expect(read('docs/benchmarks.md')).not.toMatch(/\bgoals?\b|\bshort\b/i)
  })
})
