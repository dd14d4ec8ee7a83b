/** Names that become parts of files' names. */

/** What is left of a name that can be part of a file's. */
export function asFileName(name: string, longest = 64): string {
  return (
    name
      .replace(/[^A-Za-z0-9_.-]+/g, '-')
      .replace(/^[.-]+|-+$/g, '')
      .slice(0, longest) || 'unnamed'
  )
}
