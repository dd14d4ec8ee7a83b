import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { defaultConfig, resolveConfig, resolveDescriptorConfig } from '../../lib/config'
import { nearestName } from '../../lib/errors'
import type { PlainConfig } from '../../lib/types'
import { tempDir, tempLog } from '../support/temp'

const KIB = 1024

/** The error that a config is refused with. */
function refusal(config: unknown): { code: string; message: string; errno?: string; path?: string } {
  try {
    resolveConfig(config as PlainConfig)
  } catch (error) {
    return error as { code: string; message: string }
  }
  throw new Error('the config was accepted')
}

describe('TestConfig_Validate', () => {
  it('a valid config is accepted as it is', () => {
    const logFilePath = tempLog()
    const config: PlainConfig = {
      logFilePath,
      bufferSize: 8 * KIB * KIB,
      numShards: 4,
      flushInterval: 50,
      onFull: 'block'
    }
    expect(resolveConfig(config)).toMatchObject(config)
  })

  it.each([{}, { logFilePath: '' }, { logFilePath: undefined }, { logFilePath: null }, '', undefined, null, 7, []])(
    'a missing path is refused: %j',
    config => {
      const error = refusal(config)
      expect(error.code).toBe('ERR_SHARDLOG_CONFIG')
      expect(error.message).toContain('logFilePath is required')
    }
  )

  it('defaults are those of the documentation', () => {
    const logFilePath = tempLog()
    const { logFilePath: _, ...defaults } = resolveConfig({ logFilePath })
    expect(defaults).toEqual({
      bufferSize: 64 * KIB * KIB,
      numShards: 8,
      flushInterval: 10_000,
      flushTimeout: 10,
      useMmap: false,
      crashSafe: 'file',
      directIO: 'auto',
      dsync: true,
      onFull: 'drop',
      blockTimeout: 1_000,
      shardSelection: 'affinity',
      lockTimeout: 0,
      engine: 'auto'
    })
    expect(defaultConfig(logFilePath)).toEqual({ logFilePath, ...defaults })
  })

  it('a shard of less than 64 KiB is too small, and the error says what would do', () => {
    const logFilePath = tempLog()
    const error = refusal({ logFilePath, numShards: 8, bufferSize: 16 * 64 * KIB - 1 })
    expect(error.code).toBe('ERR_SHARDLOG_CONFIG')
    expect(error.message).toContain('shard size too small')
    expect(error.message).toContain(String(16 * 64 * KIB))
    expect(resolveConfig({ logFilePath, numShards: 8, bufferSize: 16 * 64 * KIB }).bufferSize).toBe(16 * 64 * KIB)
    expect(refusal({ logFilePath, bufferSize: 0 }).message).toContain('shard size too small')
  })

  it.each([
    [128 * KIB, 1],
    [1024 * KIB, 1],
    [2048 * KIB, 2],
    [4096 * KIB, 4],
    [8192 * KIB, 8],
    [2 ** 30, 8]
  ])(
    'without numShards, %i bytes are cut so that a shard has 512 KiB where that is possible: %i',
    (bufferSize, shards) => {
      expect(resolveConfig({ logFilePath: tempLog(), bufferSize }).numShards).toBe(shards)
    }
  )

  it('buffers in /dev/shm, of recoverTo, and of files of destinations are small by default', () => {
    const logFilePath = tempLog()
    const small = 8 * KIB * KIB
    expect(resolveConfig({ logFilePath, crashSafe: 'shm' }).bufferSize).toBe(small)
    expect(resolveConfig({ logFilePath, crashSafe: 'shm', bufferSize: 2 ** 26 }).bufferSize).toBe(2 ** 26)
    expect(resolveDescriptorConfig({ recoverTo: logFilePath }, 1).bufferSize).toBe(small)
    expect(resolveDescriptorConfig({}, 1).bufferSize).toBe(2 ** 26)
    expect(resolveConfig({ logFilePath }, { bufferSize: small })).toMatchObject({ bufferSize: small, numShards: 8 })
  })

  it.each<[NonNullable<PlainConfig['preset']>, Partial<PlainConfig>]>([
    ['low-memory', { bufferSize: 2048 * KIB, numShards: 2, flushInterval: 100, crashSafe: 'file' }],
    ['throughput', { bufferSize: 2 ** 26, numShards: 8, flushInterval: 1_000 }],
    ['low-latency', { bufferSize: 8192 * KIB, flushInterval: 50, crashSafe: 'shm' }]
  ])('preset %s sets what is documented; options beside it win, defaults do not', (preset, expected) => {
    const defaults = { flushInterval: 1_000, bufferSize: 8192 * KIB }
    const resolved = resolveConfig({ logFilePath: tempLog(), preset }, defaults)
    expect(resolved).toMatchObject(expected)
    expect(resolved).not.toHaveProperty('preset')
    const own = { bufferSize: 4096 * KIB, flushInterval: 7, crashSafe: 'file' } as const
    expect(resolveConfig({ logFilePath: tempLog(), preset, ...own }, defaults)).toMatchObject(own)
  })

  it('a preset of a descriptor leaves it a descriptor', () => {
    expect(resolveDescriptorConfig({ preset: 'low-memory' }, 1)).toMatchObject({
      bufferSize: 2 ** 21,
      crashSafe: false
    })
    expect(() => resolveDescriptorConfig({ preset: 'low-latency' }, 1)).toThrow(
      "'low-memory', 'throughput' for a descriptor"
    )
  })

  it('a shard of more than 1 GiB is too large', () => {
    const error = refusal({ logFilePath: tempLog(), numShards: 1, bufferSize: 2 ** 32 })
    expect(error.message).toContain('shard size too large')
  })
})

describe('an option of a wrong type or out of range is refused with its name, its value and what is allowed', () => {
  it.each<[keyof PlainConfig, unknown, string]>([
    ['logFilePath', 7, 'a non-empty string'],
    ['logFilePath', 'a\0b', 'without NUL'],
    ['bufferSize', '64MB', 'a whole number of bytes'],
    ['bufferSize', 1.5 * KIB * KIB + 0.5, 'a whole number of bytes'],
    ['bufferSize', Number.NaN, 'a whole number of bytes'],
    ['bufferSize', 2 ** 60, 'a whole number of bytes'],
    ['preset', 'fast', "'low-memory', 'throughput', 'low-latency'"],
    ['lockTimeout', -1, 'a number of milliseconds'],
    ['numShards', 0, '1 to 256'],
    ['numShards', 257, '1 to 256'],
    ['numShards', 2.5, '1 to 256'],
    ['numShards', '8', '1 to 256'],
    ['flushInterval', -1, 'milliseconds from 0'],
    ['flushInterval', 2 ** 31, 'milliseconds from 0'],
    ['flushInterval', '10s', 'milliseconds from 0'],
    ['flushTimeout', Number.NaN, 'milliseconds from 0'],
    ['flushTimeout', Number.POSITIVE_INFINITY, 'milliseconds from 0'],
    ['useMmap', 1, 'true or false'],
    ['crashSafe', true, "'file', 'shm', false"],
    ['crashSafe', 'disk', "'file', 'shm', false"],
    ['directIO', true, "'auto', 'required', 'off'"],
    ['dsync', 'yes', 'true or false'],
    ['onFull', 'wait', "'drop', 'block'"],
    ['blockTimeout', -5, 'milliseconds from 0 to Infinity'],
    ['shardSelection', 'random', "'affinity', 'round-robin'"],
    ['engine', 'rust', "'auto', 'native', 'js'"],
    ['onError', 'log', 'a function'],
    ['dsync', null, 'true or false']
  ])('%s: %j', (name, value, allowed) => {
    const error = refusal({ logFilePath: tempLog(), [name]: value })
    expect(error.code).toBe('ERR_SHARDLOG_CONFIG')
    expect(error.message).toContain(`option ${name} must be`)
    expect(error.message).toContain(allowed)
    expect(error.message).toContain(typeof value === 'string' ? value.split('\0')[0]! : String(value))
  })

  it('blockTimeout may be Infinity', () => {
    expect(resolveConfig({ logFilePath: tempLog(), blockTimeout: Number.POSITIVE_INFINITY }).blockTimeout).toBe(
      Number.POSITIVE_INFINITY
    )
  })

  it('undefined means the default', () => {
    expect(resolveConfig({ logFilePath: tempLog(), numShards: undefined } as unknown as PlainConfig).numShards).toBe(8)
  })
})

describe('a misspelt option is refused', () => {
  it.each([
    ['flushIntervall', 'flushInterval'],
    ['flushinterval', 'flushInterval'],
    ['bufferSzie', 'bufferSize'],
    ['directIo', 'directIO'],
    ['useMMap', 'useMmap'],
    ['logfilepath', 'logFilePath'],
    ['numShard', 'numShards']
  ])('%s: did you mean %s?', (given, meant) => {
    const error = refusal({ logFilePath: tempLog(), [given]: 1 })
    expect(error.code).toBe('ERR_SHARDLOG_CONFIG')
    expect(error.message).toContain(given)
    expect(error.message).toContain(`did you mean ${meant}?`)
  })

  it('one that is like none gets the list of all', () => {
    expect(refusal({ logFilePath: tempLog(), compression: true }).message).toContain('bufferSize, numShards')
    expect(nearestName('compression', ['bufferSize'])).toBeUndefined()
  })
})

describe('a path that cannot be a log is refused', () => {
  it('its directory does not exist', () => {
    const logFilePath = path.join(tempDir(), 'missing', 'app.log')
    const error = refusal({ logFilePath })
    expect(error).toMatchObject({ code: 'ERR_SHARDLOG_PATH', errno: 'ENOENT', path: logFilePath })
    expect(error.message).toContain(path.dirname(logFilePath))
  })

  it('it is a directory', () => {
    expect(refusal({ logFilePath: tempDir() })).toMatchObject({ code: 'ERR_SHARDLOG_PATH', errno: 'EISDIR' })
  })

  it('its directory is a file', () => {
    const file = tempLog()
    fs.writeFileSync(file, '')
    expect(refusal({ logFilePath: path.join(file, 'app.log') }).code).toBe('ERR_SHARDLOG_PATH')
  })

  it('it is a device', () => {
    expect(refusal({ logFilePath: '/dev/null' })).toMatchObject({ code: 'ERR_SHARDLOG_PATH', errno: 'EINVAL' })
  })

  // The kernel's answer is stood in for: root, whom many build machines run as, may write anywhere.
  it('its directory is not writable', () => {
    const logFilePath = tempLog()
    vi.spyOn(fs, 'accessSync').mockImplementation(file => {
      throw Object.assign(new Error(`EACCES: permission denied, access '${file}'`), { code: 'EACCES' })
    })
    const error = refusal({ logFilePath })
    expect(error).toMatchObject({ code: 'ERR_SHARDLOG_PATH', errno: 'EACCES' })
    expect(error.message).toContain(`directory ${path.dirname(logFilePath)} is not writable`)
  })
})

describe('the path', () => {
  it('%p becomes the process id and %% a percent sign', () => {
    const directory = tempDir()
    const { logFilePath } = resolveConfig({ logFilePath: path.join(directory, 'a-%p-100%%-%d.log') })
    expect(logFilePath).toBe(path.join(directory, `a-${process.pid}-100%-%d.log`))
  })

  it('comes out absolute', () => {
    expect(resolveConfig('relative.log').logFilePath).toBe(path.resolve('relative.log'))
  })
})
