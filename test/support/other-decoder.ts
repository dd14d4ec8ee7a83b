import { spawnSync } from 'node:child_process'

const PYTHON = process.env.SHARDLOG_TEST_PYTHON ?? 'python3'
const MODULES = 'cbor2, lz4.block'
const CODE = `
import sys, json, ${MODULES}
raw = open(sys.argv[1], 'rb').read()
print(json.dumps(cbor2.loads(lz4.block.decompress(raw))))`

/** Whether there is a decoder of snapshots that is none of ours. */
export const hasDecoder = spawnSync(PYTHON, ['-c', `import ${MODULES}`], { stdio: 'ignore' }).status === 0

/** For the name of a test that needs it. */
export const needsDecoder = hasDecoder ? '' : ' (left out: needs Python with cbor2 and lz4)'

/** What it reads in a snapshot; times of events are texts. */
export function decodedByOthers(file: string): unknown {
  const { stdout, stderr } = spawnSync(PYTHON, ['-c', CODE, file], { encoding: 'utf8', maxBuffer: 1 << 26 })
  if (stderr !== '') throw new Error(stderr)
  return JSON.parse(stdout.replace(/"time": (\d+)/g, '"time": "$1"'))
}
