import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'

interface Sum {
  seed: number
  kills: number
  entries: number
  promised: number
  lost: number
  torn: number
  twice: number
  disordered: number
  problems: string[]
}

interface Campaign {
  campaign(options: { kills: number; seed?: number }): Promise<Sum>
  check(log: string, ledgers: string): Omit<Sum, 'seed' | 'kills'>
}

const { campaign, check } = require('../../scripts/kill-campaign/campaign') as Campaign

/** The long form is `node scripts/kill-campaign.js`. */
const KILLS = 12

test('a killed process loses nothing that was accepted, also if its recovery is killed', {
  timeout: 300_000
}, async () => {
  const sum = await campaign({ kills: KILLS })
  expect(sum).toMatchObject({ lost: 0, torn: 0, twice: 0, disordered: 0, problems: [] })
  expect(sum.kills).toBeGreaterThanOrEqual(KILLS)
  expect(sum.entries).toBeGreaterThanOrEqual(sum.promised)
  expect(sum.promised).toBeGreaterThan(0)
})

/** A block of the given payloads, without a trailer. */
function block(...payloads: string[]): Buffer {
  const entries = payloads.map(payload => {
    const entry = Buffer.alloc(4 + Buffer.byteLength(payload))
    entry.writeUInt32LE(entry.length - 4)
    entry.write(payload, 4)
    return entry
  })
  const valid = Buffer.concat(entries)
  const bytes = Buffer.alloc(Math.ceil((8 + valid.length) / 512) * 512)
  bytes.writeUInt32LE(4096)
  bytes.writeUInt32LE(valid.length, 4)
  valid.copy(bytes, 8)
  return bytes
}

test.each([
  ['lost', ['0/0/0/e30c2799/f', '0/0/1/e40c292c/a'], 3, { lost: 1 }],
  ['twice', ['0/0/0/e40c292c/a', '0/0/0/e40c292c/a'], 1, { twice: 1 }],
  ['out of order', ['0/0/1/e40c292c/a'], 0, { disordered: 1 }],
  ['torn', ['0/0/0/e40c292c/b'], 0, { torn: 1 }]
])('the check of the campaign sees an entry that is %s', (_name, payloads, promised, expected) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-check-'))
  try {
    const ledgers = path.join(directory, 'ledgers')
    const ledger = Buffer.alloc(8)
    ledger.writeBigUInt64LE(BigInt(promised))
    fs.mkdirSync(ledgers)
    fs.writeFileSync(path.join(ledgers, '0-0'), ledger)
    fs.writeFileSync(path.join(directory, 'log'), block(...payloads))
    expect(check(path.join(directory, 'log'), ledgers)).toMatchObject(expected)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
})
