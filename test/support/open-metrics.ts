/** Reading OpenMetrics text by another's parser. */

import { spawnSync } from 'node:child_process'

const PYTHON = process.env.SHARDLOG_TEST_PYTHON ?? 'python3'
const PARSER = 'prometheus_client.openmetrics.parser'

/** Whether there is Python with that parser. */
export const hasParser = spawnSync(PYTHON, ['-c', `import ${PARSER}`], { stdio: 'ignore' }).status === 0
/** What the name of a test says that is left out without it. */
export const parserNote = hasParser ? '' : ' (left out: needs Python with prometheus_client)'

interface Family {
  name: string
  type: string
  unit: string
  samples: [name: string, labels: Record<string, string>, value: number][]
}

const CODE = `
import json, sys
from ${PARSER} import text_string_to_metric_families
families = [{'name': f.name, 'type': f.type, 'unit': f.unit, 'samples': [[s.name, s.labels, s.value] for s in f.samples]}
  for f in text_string_to_metric_families(sys.stdin.read())]
print(json.dumps(families))`

/** The families that the parser finds; throws what it says of text that is not valid. */
export function parsed(text: string): Family[] {
  const { status, stdout, stderr } = spawnSync(PYTHON, ['-c', CODE], { input: text, encoding: 'utf8' })
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Family[]
}

/** The value of the sample with this name and these labels, by its text. */
export function sampleOf(text: string, name: string, labels: Record<string, string> = {}): number | undefined {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  const line = text
    .split('\n')
    .find(one =>
      one.startsWith(`${name}{`) || one.startsWith(`${name} `) ? wanted.every(part => one.includes(part)) : false
    )
  return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1))
}
