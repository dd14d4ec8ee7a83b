/** Documents by their paths, with `/` between folders, and a way to see whether a file is there. */
export interface Documents {
  /** Text of each Markdown document. */
  texts: ReadonlyMap<string, string>
  /** Whether a path names a file that comes with the documents. */
  has(file: string): boolean
}

/** Links of documents that lead nowhere, as `document: link`. Links to the web are not followed. */
export function brokenLinks(documents: Documents): string[]
