import fs from 'node:fs'
import path from 'node:path'
import { ShardlogError } from '../errors'
import type { NativeBinding } from './native-binding'

let binding: NativeBinding | undefined
let failure: ShardlogError | undefined

function libcName(): string {
  if (process.platform !== 'linux') return ''
  return fs.existsSync('/etc/alpine-release') ? ' musl' : ' glibc'
}

function noNative(cause: unknown): ShardlogError {
  const { versions, arch, platform } = process
  const message =
    `no native build of shardlog loads on ${platform}-${arch}${libcName()}, Node ${versions.node} (Node-API ` +
    `${versions.napi}, ABI ${versions.modules}): ${cause instanceof Error ? cause.message : String(cause)}\n` +
    'One build serves every Node from 20 on. To make it, in a checkout of the repository: npm ci && npm run build:native ' +
    "(needs a C++20 compiler, make and Python 3). Without it, engine 'js' works everywhere; 'auto' chooses it by itself."
  return new ShardlogError('ERR_SHARDLOG_NO_NATIVE', message, { cause })
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
    // This very form is what bundlers' tracers recognise and copy the prebuilds for.
    binding = require('node-gyp-build')(path.join(__dirname, '..', '..')) as NativeBinding
    return binding
  } catch (error) {
    failure = noNative(error)
    throw failure
  }
}
