'use strict'

// What must hold of an addon that is shipped, read from its ELF tables with binutils' readelf.

const fs = require('node:fs')
const { output } = require('./run')

/** Oldest glibc that an addon may need: that of Node's own builds. */
const GLIBC_FLOOR = '2.28'

const allowedLibraries = {
  glibc:
    /^(libc\.so\.6|libm\.so\.6|libpthread\.so\.0|libdl\.so\.2|librt\.so\.1|ld-linux-(x86-64\.so\.2|aarch64\.so\.1))$/,
  musl: /^libc\.(so|musl-(x86_64|aarch64)\.so\.1)$/
}

const machines = { x64: 'X86-64', arm64: 'AArch64' }

/** The entry points that Node looks for; everything else stays inside. */
const allowedExports = /^(napi_register_module_v1|node_api_module_get_api_version_v1)$/

function versionAbove(version, limit) {
  const [major, minor] = version.split('.').map(Number)
  const [limitMajor, limitMinor] = limit.split('.').map(Number)
  return major > limitMajor || (major === limitMajor && minor > limitMinor)
}

/**
 * Dynamic symbols of the file, as readelf's fields: number, value, size, type, binding, visibility,
 * section, name.
 */
function dynamicSymbols(file) {
  return output('readelf', ['--dyn-syms', '--wide', file])
    .split('\n')
    .map(line => line.trim().split(/\s+/))
    .filter(fields => /^\d+:$/.test(fields[0]) && fields[7] !== undefined)
    .map(([, , , , binding, , section, name]) => ({ binding, defined: section !== 'UND', name }))
}

/** Names of the symbols that the file offers to others. */
function exportedSymbols(file) {
  return dynamicSymbols(file)
    .filter(({ binding, defined }) => defined && /GLOBAL|WEAK/.test(binding))
    .map(({ name }) => name)
}

/**
 * Names of what the file needs of others that is neither Node-API nor libc: Bun and Deno have no
 * libuv and no V8 to link to. What glibc has carries its version; musl's names have none, but are
 * C's, and so without the mangling of `node::` and `v8::`.
 */
function foreignSymbols(file, libc) {
  const isLibc = name => (libc === 'glibc' ? name.includes('@GLIBC_') : !/^(uv_|_Z)/.test(name))
  return dynamicSymbols(file)
    .filter(
      ({ binding, defined, name }) =>
        !defined && binding === 'GLOBAL' && !/^(napi|node_api)_/.test(name) && !isLibc(name)
    )
    .map(({ name }) => name)
}

/** The newest glibc version that a symbol of the file asks for, or null. */
function neededGlibc(file) {
  const versions = [...output('readelf', ['--version-info', file]).matchAll(/GLIBC_(\d+\.\d+)/g)].map(match => match[1])
  return versions.reduce((newest, version) => (!newest || versionAbove(version, newest) ? version : newest), null)
}

/**
 * Checks one addon against what its platform allows; throws with what is wrong, else returns its
 * size and glibc floor.
 */
function inspect(file, { arch, libc }) {
  const complaints = []
  const header = output('readelf', ['--file-header', '--dynamic', file])
  const libraries = [...header.matchAll(/NEEDED\).*\[(.+)\]/g)].map(match => match[1])
  const glibc = neededGlibc(file)
  const strangers = libraries.filter(library => !allowedLibraries[libc].test(library))
  const foreign = foreignSymbols(file, libc)
  const leaks = exportedSymbols(file).filter(symbol => !allowedExports.test(symbol))
  if (!header.includes(machines[arch])) complaints.push(`is not for ${arch}`)
  if (!/FLAGS_1.*NODELETE/.test(header)) complaints.push('is not marked nodelete')
  if (strangers.length) complaints.push(`needs ${strangers.join(', ')}`)
  if (foreign.length) complaints.push(`needs ${foreign.join(', ')} of neither Node-API nor libc`)
  if (leaks.length) complaints.push(`exports ${leaks.join(', ')}`)
  if (libc === 'musl' && glibc) complaints.push(`needs glibc ${glibc}`)
  if (glibc && versionAbove(glibc, GLIBC_FLOOR)) complaints.push(`needs glibc ${glibc}, more than ${GLIBC_FLOOR}`)
  if (complaints.length) throw new Error(`${file} ${complaints.join('; ')}`)
  return { size: fs.statSync(file).size, glibc, libraries }
}

module.exports = { inspect, GLIBC_FLOOR }
