'use strict'

// Links of Markdown documents to each other and to files.

const path = require('node:path')

const withoutBlocks = text => text.replace(/```[\s\S]*?```/g, '')
const withoutCode = text => withoutBlocks(text).replace(/`[^`\n]*`/g, '')

/** Anchors of a document, made of its headings as renderers make them. */
function anchors(text) {
  const headings = [...withoutBlocks(text).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
  )
  return new Set(
    headings.map(heading =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-')
    )
  )
}

/**
 * Links of documents that lead nowhere, as `document: link`. Links to the web are not followed.
 *
 * @param {{texts: ReadonlyMap<string, string>, has: (file: string) => boolean}} documents the text
 *   of each document by its path, with `/` between folders, and whether a path names a file that
 *   comes with them
 * @returns {string[]}
 */
function brokenLinks({ texts, has }) {
  const isBroken = (name, link) => {
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? name : path.posix.join(path.posix.dirname(name), file)
    if (!has(target)) return true
    return anchor !== undefined && !anchors(texts.get(target) ?? '').has(anchor)
  }
  return [...texts].flatMap(([name, text]) =>
    [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link]) => link)
      .filter(link => !/^[a-z]+:/.test(link) && isBroken(name, link))
      .map(link => `${name}: ${link}`)
  )
}

module.exports = { brokenLinks }
