/**
 * Where this package's files lie. In a bundle they lie nowhere: a bundle of CommonJS has the names of its own file in `__dirname` and
 * `__filename`, one of ES modules has no such names, and webpack puts others in their place.
 */

import path = require('node:path')

const here = typeof __filename === 'string' ? __filename : ''

/** The folder of the package's compiled files, with a separator at its end; null in a bundle. */
export const ownFolder: string | null = /^own-place\.[jt]s$/.test(path.basename(here))
  ? path.dirname(here) + path.sep
  : null

/** The file from which what is installed beside this package is looked up; in a bundle of ES modules from where the program is. */
export const ownFile: string = path.isAbsolute(here)
  ? here
  : path.resolve(process.argv[1] ?? path.join('.', 'program.js'))
