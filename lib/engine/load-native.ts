import fs = require('node:fs')

import { createRequire } from 'node:module'

import path = require('node:path')

import { isError, ShardlogError } from '../errors'
import { ownFile, ownFolder } from '../own-place'
import type { NativeBinding } from './native-binding'

let binding: NativeBinding | undefined
let failure: ShardlogError | undefined

/** Which libc `node-gyp-build` takes the system's to be. */
function libcName(): string {
  if (process.platform !== 'linux') return ''
  try {
    return fs.existsSync('/etc/alpine-release') ? ' musl' : ' glibc'
  } catch {
    // Under Node's permission model a file may be kept from us; the message is no worse without this.
    return ''
  }
}

/** What helps against `cause`, where something does. */
function advice(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown }
  if (code === 'ERR_DLOPEN_DISABLED')
    return ' Node was started without addons: --no-addons, or --permission without --allow-addons.'
  if (code === 'ERR_ACCESS_DENIED') {
    const { resource } = cause as { resource?: unknown }
    return ` Node's permission model keeps ${String(resource ?? 'a file')} from it: allow reading it and the package's folder, and --allow-addons.`
  }
  if (isError(cause) && cause.name === 'ReferenceError') {
    return ' A bundle of ES modules has no folder of its own: leave shardlog out of the bundle (external).'
  }
  return ''
}

/** The loader's message as a sentence. */
function reason(cause: unknown): string {
  const message = (isError(cause) ? cause.message : String(cause)).trim().replace(/\s*\n\s*/g, ', ')
  return message.endsWith('.') ? message : `${message}.`
}

function noNative(cause: unknown): ShardlogError {
  const { versions, arch, platform } = process
  const message =
    `no native build of shardlog loads on ${platform}-${arch}${libcName()}, Node ${versions.node} (Node-API ` +
    `${versions.napi}, ABI ${versions.modules}): ${reason(cause)}${advice(cause)}\n` +
    'One build serves every Node from 20 on. To make it, in a checkout of the repository: npm ci && npm run build:native ' +
    "(needs a C++20 compiler, make and Python 3). Without it, engine 'js' works everywhere; 'auto' chooses it by itself."
  return new ShardlogError('ERR_SHARDLOG_NO_NATIVE', message, { cause })
}

/** The addon of the package as it is installed where a bundle runs, from which its own are missing. */
function loadInstalled(): NativeBinding | undefined {
  for (const name of ['shardlog', 'pino']) {
    try {
      const manifest = createRequire(ownFile).resolve(`${name}/package.json`)
      // The installed package's loader, too: a single executable application has only Node's modules for the bundle's own.
      return createRequire(manifest)('node-gyp-build')(path.dirname(manifest)) as NativeBinding
    } catch {
      // Not installed there, or no better than what the bundle has: its own failure is what is told.
    }
  }
  return undefined
}

function load(): NativeBinding {
  try {
    // This very form is what bundlers' tracers recognise and copy the prebuilds for. `path` must be its own name in the
    // compiled file too: hence `import path = require`. They do not read what is newer than ES2020 in this file.
    return require('node-gyp-build')(path.join(__dirname, '..', '..')) as NativeBinding
  } catch (error) {
    const installed = ownFolder === null ? loadInstalled() : undefined
    if (installed === undefined) throw noNative(error)
    return installed
  }
}

/**
 * The addon. Looked for once per thread.
 *
 * @throws ShardlogError `ERR_SHARDLOG_NO_NATIVE`; its `cause` is the loader's own error.
 */
export function loadNative(): NativeBinding {
  if (binding !== undefined) return binding
  if (failure !== undefined) throw failure
  try {
    binding = load()
    return binding
  } catch (error) {
    failure = error as ShardlogError
    throw failure
  }
}
