import path from 'node:path'

/** Documents by their paths, with `/` between folders, and a way to see whether a file is there. */
export interface Documents {
  /** Text of each Markdown document. */
  texts: ReadonlyMap<string, string>
  /** Whether a path names a file that comes with the documents. */
  has(file: string): boolean
}

const withoutCode = (text: string): string => text.replace(/```[\s\S]*?```/g, '').replace(/`[^`\n]*`/g, '')

/** Anchors of a document, made of its headings as renderers make them. */
function anchors(text: string): Set<string> {
  const headings = [...text.replace(/```[\s\S]*?```/g, '').matchAll(/^#+ (.*)$/gm)].map(match =>
    (match[1] as string).replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
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

/** Links of the documents to each other that lead nowhere, as `document: link`. Links to the web are not followed. */
export function brokenLinks({ texts, has }: Documents): string[] {
  const isBroken = (name: string, link: string): boolean => {
    const [file = '', anchor] = link.split('#')
    const target = file === '' ? name : path.posix.join(path.posix.dirname(name), file)
    if (!has(target)) return true
    return anchor !== undefined && !anchors(texts.get(target) ?? '').has(anchor)
  }
  return [...texts].flatMap(([name, text]) =>
    [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(match => match[1] as string)
      .filter(link => !/^[a-z]+:/.test(link) && isBroken(name, link))
      .map(link => `${name}: ${link}`)
  )
}
