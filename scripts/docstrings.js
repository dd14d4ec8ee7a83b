'use strict'

// Which functions, classes and methods of a module's surface have no docstring.

const fs = require('node:fs')
const path = require('node:path')
const { root } = require('./run')

const read = file => fs.readFileSync(path.join(root, file), 'utf8')

function fileOf(from, specifier) {
  const target = path.posix.join(path.posix.dirname(from), specifier)
  return [`${target}.ts`, `${target}/index.ts`].find(file => fs.existsSync(path.join(root, file)))
}

/** Names that a list in braces gives, as `[exported, own]`; those of types are left out. */
function namesIn(list) {
  return list
    .split(',')
    .map(item => item.trim())
    .filter(item => item !== '' && !item.startsWith('type '))
    .map(item => item.split(' as ').map(name => name.trim()))
    .map(([own, exported = own]) => [exported, own])
}

/**
 * Where `name` of `file` comes from: `[file, name]`; undefined if not from a module of the package.
 */
function originOf(file, name) {
  for (const [, list, specifier] of read(file).matchAll(/^(?:export|import) \{([^}]*)\} from '([^']+)'/gm)) {
    const found = namesIn(list).find(([exported]) => exported === name)
    if (found === undefined) continue
    const target = specifier.startsWith('.') ? fileOf(file, specifier) : undefined
    return target && [target, found[1]]
  }
  return undefined
}

const isDocumented = before => /\*\/\s*$/.test(before)

/**
 * Methods of the class that begins at `start` without a docstring: public ones, which are indented
 * by two columns.
 */
function bareMethods(text, start) {
  const end = text.indexOf('\n}\n', start)
  const body = text.slice(start, end)
  const methods = [
    ...body.matchAll(
      /^ {2}(?!private|protected|static #|constructor|#|if|for|return)(?:static |async |get )*(\w+)\(.*\{$/gm
    )
  ]
  return methods.filter(({ index }) => !isDocumented(body.slice(0, index))).map(([, name]) => name)
}

/** What of one exported name has no docstring. */
function bareOf(file, name) {
  const text = read(file)
  // A function that is said in several forms has its docstring at the first.
  const declared = new RegExp(`^(?:export )?(?:declare )?(?:async )?(function\\*?|class|const) ${name}\\b`, 'm').exec(
    text
  )
  if (declared === null) {
    const origin = originOf(file, name)
    return origin === undefined ? [] : bareOf(...origin)
  }
  const where = `${file}: ${name}`
  const own = isDocumented(text.slice(0, declared.index)) ? [] : [where]
  return declared[1] === 'class'
    ? [...own, ...bareMethods(text, declared.index).map(method => `${where}.${method}`)]
    : own
}

/**
 * @returns {string[]} what `file` exports that has no docstring, as `file: name`; types are left
 *   out
 */
function undocumented(file) {
  const text = read(file)
  const listed = [...text.matchAll(/^export \{([^}]*)\}/gm)].flatMap(([, list]) =>
    namesIn(list).map(([exported]) => exported)
  )
  const declared = [...text.matchAll(/^export (?:const|function|class) (\w+)/gm)].map(([, name]) => name)
  return [...new Set([...listed, ...declared])].flatMap(name => bareOf(file, name))
}

module.exports = { undocumented }
