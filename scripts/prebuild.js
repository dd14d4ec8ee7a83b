'use strict'

// Compiles the addons that the package ships into prebuilds/, for all platforms or those named:
//
//   node scripts/prebuild.js [linux-x64-glibc] [linux-x64-musl] [linux-arm64-glibc]
//   [linux-arm64-musl]
//
// prebuildify drives node-gyp; the compiler is Zig's clang, which brings the headers of every libc
// and so makes addons that load on systems older than the one they were made on. An addon that is
// up to date is left as it is.

const fs = require('node:fs')
const path = require('node:path')
const prebuildify = require('prebuildify')
const { root } = require('./run')
const { nodeDirectory } = require('./node-headers')
const { filesOf, layers } = require('./native-sources')
const { findZig } = require('./zig')
const { inspect, GLIBC_FLOOR } = require('./inspect-addon')

const targets = {
  'linux-x64-glibc': { arch: 'x64', libc: 'glibc', triple: `x86_64-linux-gnu.${GLIBC_FLOOR}` },
  'linux-x64-musl': { arch: 'x64', libc: 'musl', triple: 'x86_64-linux-musl' },
  'linux-arm64-glibc': { arch: 'arm64', libc: 'glibc', triple: `aarch64-linux-gnu.${GLIBC_FLOOR}` },
  'linux-arm64-musl': { arch: 'arm64', libc: 'musl', triple: 'aarch64-linux-musl' }
}

const addonPath = ({ arch, libc }) => path.join(root, 'prebuilds', `linux-${arch}`, `shardlog.${libc}.node`)

/** Inputs of every addon. */
const inputs = ['binding.gyp', 'package-lock.json', 'include/shardlog/recorder.h', ...filesOf(layers, ['.cc', '.h'])]

function isFresh(target) {
  const built = fs.statSync(addonPath(target), { throwIfNoEntry: false })
  return built !== undefined && inputs.every(file => fs.statSync(path.join(root, file)).mtimeMs < built.mtimeMs)
}

/**
 * A folder that node-gyp may build in without touching build/, with links to what binding.gyp
 * names.
 */
function stage(name) {
  const directory = path.join(root, 'build-prebuild', name)
  fs.rmSync(directory, { recursive: true, force: true })
  fs.mkdirSync(directory, { recursive: true })
  for (const file of ['binding.gyp', 'include', 'native', 'scripts', 'package.json', 'node_modules']) {
    fs.symlinkSync(path.join(root, file), path.join(directory, file))
  }
  return directory
}

/** What node-gyp and the makefiles take from the environment. */
function environment(zig, triple) {
  const headers = nodeDirectory()
  return {
    CC: `${zig} cc -target ${triple}`,
    CXX: `${zig} c++ -target ${triple}`,
    LDFLAGS: '-s',
    ...(headers ? { npm_config_nodedir: headers } : {})
  }
}

function compile(name, zig) {
  const { arch, libc, triple } = targets[name]
  Object.assign(process.env, environment(zig, triple))
  const options = {
    cwd: stage(name),
    out: root,
    napi: true,
    tagLibc: true,
    quiet: false,
    name: 'shardlog',
    platform: 'linux',
    targets: [process.version],
    arch,
    libc
  }
  return new Promise((resolve, reject) => prebuildify(options, error => (error ? reject(error) : resolve())))
}

async function main() {
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(targets)
  for (const name of names) {
    if (!targets[name]) throw new Error(`unknown platform ${name}; known are ${Object.keys(targets).join(', ')}`)
    if (!isFresh(targets[name])) await compile(name, findZig())
    const { size, glibc } = inspect(addonPath(targets[name]), targets[name])
    console.log(`${name}: ${size} bytes${glibc ? `, needs glibc ${glibc}` : ''}`)
  }
}

main().catch(error => {
  console.error(`prebuild.js: ${error.message}`)
  process.exitCode = 1
})
