// Required rather than imported: package.json lies outside rootDir, and this form bundlers follow
// too.
const manifest = require('../package.json') as { version: string }

/** Version of this package. */
export const version: string = manifest.version
