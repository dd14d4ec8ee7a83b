'use strict'

// Counts what keeps the source easy to find one's way in, and fails beyond the limits. Circles of
// imports are for check-layers.js.
//
//   node scripts/check-house.js [--all]     --all also shows what is above its target

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { binPath, output, root, runMain } = require('./run')
const { brokenLinks } = require('./links')
const { undocumented } = require('./docstrings')

/** Every limit; what is not there yet has its `target` beside it. */
const LIMITS = {
  /** Files of lib/ but for `FEATURES`. */
  libraryFiles: { most: 100 },
  /** Files of folders of lib/. */
  folderFiles: { pino: 20, recorder: 19, query: 10, view: 30, appenders: 21, ship: 24 },
  /**
   * Lines of a function, and its parameters; `most` functions that have more, by folder, none
   * elsewhere.
   */
  functionLines: { each: 60, most: {} },
  parameters: { each: 5, most: {} },
  /**
   * Columns of a line that is a comment; `most` lines that have more, by folder, none elsewhere.
   */
  commentColumns: {
    each: 100,
    most: {}
  },
  /** Rows of docs/glossary.md. */
  glossaryEntries: { most: 30 },
  /** Lines of README.md. */
  readmeLines: { most: 130 },
  /** Links of README.md and docs/ that lead nowhere. */
  brokenLinks: { most: 0 },
  /** Functions, classes and methods of the package's surface without a docstring. */
  undocumented: { most: 0 }
}

/** What stands on the library, which does without it: folders of lib/, and files elsewhere. */
const FEATURES = [
  'appenders/',
  'cli/config.ts',
  'cli/event-filter.ts',
  'cli/events.ts',
  'cli/interactive.ts',
  'cli/metrics.ts',
  'cli/query-input.ts',
  'cli/query.ts',
  'cli/report.ts',
  'cli/ship.ts',
  'cli/snapshot.ts',
  'cli/tail-ring.ts',
  'cli/view.ts',
  'configure.ts',
  'features/recording.ts',
  'flight-recorder.ts',
  'metrics.ts',
  'query/',
  'recorder/',
  'ship/',
  'view/'
]

/** Lines that are comments, by the ends of files' names. */
const COMMENTS = [
  [/\.(?:[cm]?[jt]s|cc|h|pml)$/, /^\s*(?:\/\/|\/\*|\*)/],
  [/(?:\.(?:py|sh|ya?ml|cmake|gyp)|CMakeLists\.txt|^\.ci\/run)$/, /^\s*#/]
]
/** Lines that a tool reads, which have to be one line. */
const DIRECTIVE =
  /biome-ignore|prettier-ignore|eslint-|NOLINT|clang-format|@ts-|https?:\/\/\S{60}|^\s*(?:\/\/|\*|#)?\s*(?:\||[-=─━]{20})|[│┌└╭╰├─]{3}/

/** Places that are shown of one complaint. */
const SHOWN = 20

const read = name => fs.readFileSync(path.join(root, name), 'utf8')
const tracked = () =>
  output('git', ['ls-files', '-co', '--exclude-standard'])
    .split('\n')
    .filter(name => name && fs.existsSync(path.join(root, name)))

/**
 * The part of the house that a file counts for: a folder of lib/, or the first folder of its path.
 */
function folderOf(name) {
  const parts = name.split('/')
  if (parts.length === 1) return '.'
  return parts[0] === 'lib' && parts.length > 2 ? `lib/${parts[1]}` : parts[0]
}

/** Functions that Biome finds too long, or with too many parameters, as `{ rule, name, place }`. */
function unwieldyFunctions() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-house-'))
  try {
    const rules = {
      noExcessiveLinesPerFunction: { level: 'error', options: { maxLines: LIMITS.functionLines.each } },
      useMaxParams: { level: 'error', options: { max: LIMITS.parameters.each } }
    }
    fs.writeFileSync(
      path.join(folder, 'biome.json'),
      JSON.stringify({ linter: { rules: { preset: 'none', complexity: rules } } })
    )
    const args = [
      `--config-path=${folder}`,
      '--max-diagnostics=none',
      '--reporter=json',
      'lib',
      'scripts',
      'bench/src',
      'crash-test',
      'demo'
    ]
    const { stdout } = spawnSync(process.execPath, [binPath('@biomejs/biome', 'biome'), 'lint', ...args], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 1 << 28
    })
    return JSON.parse(stdout)
      .diagnostics.filter(({ category }) => category?.startsWith('lint/'))
      .map(({ category, location, message }) => ({
        rule: category.split('/').at(-1),
        name: location.path,
        place: `${location.path}:${location.start.line}: ${message}`
      }))
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

/** Lines of comments that are too wide, as `{ name, place }`. */
function wideComments(files) {
  const most = LIMITS.commentColumns.each
  return files.flatMap(name => {
    const comment = COMMENTS.find(([files]) => files.test(name))?.[1]
    if (comment === undefined || name.includes('/golden/')) return []
    return read(name)
      .split('\n')
      .map((line, index) => ({ line, place: `${name}:${index + 1}: a comment of ${line.length} columns` }))
      .filter(({ line }) => line.length > most && comment.test(line) && !DIRECTIVE.test(line))
      .map(({ place }) => ({ name, place }))
  })
}

/** Complaints about one number: none while it is within its limit. */
function checkCount(what, { most, target }, count, places = []) {
  const state = `${what}: ${count} of at most ${most}${target === undefined ? '' : `, to become ${target}`}`
  if (process.argv.includes('--all') && target !== undefined && count > target) console.log(state)
  if (count <= most) return []
  const shown = places.slice(0, SHOWN)
  return [state, ...shown, ...(places.length > shown.length ? [`... and ${places.length - shown.length} more`] : [])]
}

/** Complaints about things that are counted by folder. */
function checkByFolder(what, { most, each }, found) {
  const folders = [...new Set(found.map(({ name }) => folderOf(name)))]
  return folders.flatMap(folder => {
    const items = found.filter(({ name }) => folderOf(name) === folder)
    const limit = { most: most[folder] ?? 0, target: 0 }
    return checkCount(
      `${folder}, ${what} ${each}`,
      limit,
      items.length,
      items.map(({ place }) => place)
    )
  })
}

function checkDocuments(files) {
  const documents = files.filter(name => /^(?:docs\/.+|[A-Z]+)\.md$/.test(name))
  const broken = brokenLinks({
    texts: new Map(documents.map(name => [name, read(name)])),
    has: name => files.includes(name)
  })
  const words = [...read('docs/glossary.md').matchAll(/^\| (?!word |-)([^|]+) \|/gm)]
  return [
    ...checkCount('entries of the glossary', LIMITS.glossaryEntries, words.length),
    ...checkCount('lines of the README', LIMITS.readmeLines, read('README.md').trimEnd().split('\n').length),
    ...checkCount('links that lead nowhere', LIMITS.brokenLinks, broken.length, broken)
  ]
}

function checkLibrary(files) {
  const modules = files.filter(name => /^lib\/.*\.ts$/.test(name))
  const inFolder = folder => modules.filter(name => name.startsWith(`lib/${folder}/`)).length
  const ofFeatures = modules.filter(name => FEATURES.some(feature => name.startsWith(`lib/${feature}`))).length
  const folders = Object.entries(LIMITS.folderFiles)
  const bare = undocumented('lib/public.ts')
  return [
    ...checkCount('files of lib/ outside its features', LIMITS.libraryFiles, modules.length - ofFeatures),
    ...folders.flatMap(([folder, most]) => checkCount(`files of lib/${folder}`, { most }, inFolder(folder))),
    ...checkCount('public names without a docstring', LIMITS.undocumented, bare.length, bare)
  ]
}

function main() {
  const files = tracked()
  const functions = unwieldyFunctions()
  const complaints = [
    ...checkLibrary(files),
    ...checkByFolder(
      'functions of more lines than',
      LIMITS.functionLines,
      functions.filter(({ rule }) => rule === 'noExcessiveLinesPerFunction')
    ),
    ...checkByFolder(
      'functions with more parameters than',
      LIMITS.parameters,
      functions.filter(({ rule }) => rule === 'useMaxParams')
    ),
    ...checkByFolder('comments wider than', LIMITS.commentColumns, wideComments(files)),
    ...checkDocuments(files)
  ]
  if (complaints.length > 0) throw new Error(`\n${complaints.join('\n')}`)
  console.log('the house is within its limits')
}

runMain(main)
