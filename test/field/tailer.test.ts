import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, it, onTestFinished } from 'vitest'
import { succeeds } from '../support/run'
import { tempLog } from '../support/temp'
import { expectOnce, killed, type Logged, restarted } from './support'

const ROUNDS = 3

interface Followed {
  fd: number
  inode: number
  text: string
}

/**
 * Reads a file by its inode and an offset, as shippers of logs do; one that was renamed is read on
 * for a while.
 */
class Tailer {
  readonly files: Followed[] = []
  /** How often a file was found shorter than what had been read of it. */
  cuts = 0

  constructor(private readonly path: string) {}

  read(): void {
    const named = fs.statSync(this.path, { throwIfNoEntry: false })
    if (named !== undefined && this.files.every(({ inode }) => inode !== named.ino)) {
      this.files.push({ fd: fs.openSync(this.path, 'r'), inode: named.ino, text: '' })
    }
    for (const file of this.files) this.#drain(file)
  }

  #drain(file: Followed): void {
    if (fs.fstatSync(file.fd).size < file.text.length) this.cuts++
    const bytes = Buffer.alloc(1 << 20)
    for (let count = 1; count > 0; file.text += bytes.toString('latin1', 0, count)) {
      count = fs.readSync(file.fd, bytes, 0, bytes.length, file.text.length)
    }
  }

  close(): void {
    for (const { fd } of this.files) fs.closeSync(fd)
  }
}

async function throughKills(file: string): Promise<Logged[]> {
  const logged: Logged[] = []
  for (let round = 0; round < ROUNDS; round++) {
    logged.push(await killed({ kind: 'ndjson', file, first: round * 1_000_000 }))
    if (round === 1) {
      fs.renameSync(file, `${file}.1`)
    }
  }
  logged.push(await restarted({ kind: 'ndjson', file, first: ROUNDS * 1_000_000 }))
  return logged
}

it('a reader by inode and offset sees every line once over kills, restarts and a rotation, and the file never shorter', async () => {
  const file = tempLog()
  const tailer = new Tailer(file)
  const timer = setInterval(() => tailer.read(), 5)
  onTestFinished(() => {
    clearInterval(timer)
    tailer.close()
  })
  const logged = await throughKills(file)
  tailer.read()
  expect(tailer.cuts).toBe(0)
  const copies = tailer.files.map(({ text }, i) => {
    fs.writeFileSync(`${file}.copy-${i}`, text)
    return `${file}.copy-${i}`
  })
  expect(copies).toHaveLength(2)
  await expectOnce(copies, 'ndjson', logged)
})

const hasTail = succeeds('sh', ['-c', 'command -v tail'])

it.runIf(hasTail)('tail -F delivers every line once over kills and restarts', async () => {
  const file = tempLog()
  const copy = `${file}.copy`
  fs.writeFileSync(file, '')
  const out = fs.openSync(copy, 'w')
  const tail = spawn('tail', ['-n', '+1', '-s', '0.05', '-F', file], { stdio: ['ignore', out, 'pipe'] })
  fs.closeSync(out)
  let said = ''
  tail.stderr!.on('data', (text: Buffer) => (said += text.toString()))
  onTestFinished(() => void tail.kill('SIGKILL'))
  const logged: Logged[] = []
  for (let round = 0; round < ROUNDS; round++) {
    logged.push(await killed({ kind: 'ndjson', file, first: round * 1_000_000 }))
  }
  logged.push(await restarted({ kind: 'ndjson', file, first: ROUNDS * 1_000_000 }))
  while (fs.statSync(copy).size < fs.statSync(file).size) await pause(20)
  const exited = once(tail, 'exit')
  tail.kill()
  await exited
  expect(said).toBe('')
  expect(fs.readFileSync(copy).equals(fs.readFileSync(file))).toBe(true)
  await expectOnce([file], 'ndjson', logged)
})
