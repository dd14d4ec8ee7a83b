import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLog, verifyLog } from '../../lib/reader'

interface Golden {
  entries: string[]
  damage: string[]
}

const folder = path.join(__dirname, '..', 'golden')
const expected = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Record<string, Golden>

/** Nothing but lines of some other program. */
const TEXTS = ['foreign-only']

describe('golden files', () => {
  for (const [name, golden] of Object.entries(expected)) {
    it(`reads ${name}`, async () => {
      const damage: string[] = []
      const entries: string[] = []
      const file = path.join(folder, `${name}.log`)
      for await (const entry of readLog(file, { format: 'shard', onDamage: found => damage.push(found.kind) })) {
        entries.push(entry.bytes.toString('latin1'))
      }
      expect(entries).toEqual(golden.entries)
      expect(damage).toEqual(golden.damage)
    })

    it(`knows that ${name} is ${TEXTS.includes(name) ? 'text' : 'no text'}`, async () => {
      const { format } = await verifyLog(path.join(folder, `${name}.log`))
      expect(format).toBe(TEXTS.includes(name) ? 'ndjson' : name === 'empty' ? null : 'shard')
    })
  }
})
