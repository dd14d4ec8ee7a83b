import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { workerOptions } from '../../../lib/pino/transport'
import { tempDir } from '../../support/temp'

afterEach(() => {
  vi.unstubAllEnvs()
})

/** NODE_OPTIONS of a worker started under `value`; undefined if it takes the program's own. */
function nodeOptions(value: string): string | undefined {
  vi.stubEnv('NODE_OPTIONS', value)
  return (workerOptions({}, 'name').env as NodeJS.ProcessEnv | undefined)?.NODE_OPTIONS
}

describe('NODE_OPTIONS of a worker', () => {
  it('does not preload files that are not there', () => {
    const missing = path.join(tempDir(), 'missing file.js')
    const url = pathToFileURL(missing).href
    expect(nodeOptions(`--require "${missing}" --trace-warnings`)).toBe('--trace-warnings')
    expect(nodeOptions(`-r '${missing}'`)).toBe('')
    expect(nodeOptions(`--import=${url} --enable-source-maps`)).toBe('--enable-source-maps')
    expect(nodeOptions(`--trace-warnings --import ${url}`)).toBe('--trace-warnings')
  })

  it('is the same where nothing is missing, or cannot be told', () => {
    const there = path.join(tempDir(), 'there.js')
    fs.writeFileSync(there, '')
    expect(nodeOptions(`--require ${there} --trace-warnings`)).toBeUndefined()
    expect(nodeOptions('--require ./relative.js --import package')).toBeUndefined()
    expect(nodeOptions('')).toBeUndefined()
  })

  it('is what the program asks for', () => {
    vi.stubEnv('NODE_OPTIONS', '--require /missing.js')
    const env = { NODE_OPTIONS: '--trace-warnings' }
    expect(workerOptions({ env }, 'name').env).toBe(env)
  })
})

describe('the name of a worker', () => {
  it('is given, unless the program names it', () => {
    expect(workerOptions({}, 'name').name).toBe('name')
    expect(workerOptions({ name: 'own' }, 'name').name).toBe('own')
  })
})
