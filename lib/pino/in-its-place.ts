/** That this package is installed under the name `pino`: a type asks for `pino/in-its-place`, which pino has not. */

export const inItsPlace = true
