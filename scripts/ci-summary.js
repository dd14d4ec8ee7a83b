'use strict'

// Adds up what the steps of .ci/run reported and prints it: what failed by its name, then a line
// for each step. The last line is `N passed, N failed`.
//
//   node scripts/ci-summary.js DIRECTORY     with NAME.status and the reports below for each step

const fs = require('node:fs')
const path = require('node:path')

const directory = process.argv[2]
const read = name => fs.readFileSync(path.join(directory, name), 'utf8')

/** Tests of a vitest JSON report; a file that could not be loaded counts as one that failed. */
function vitest(name) {
  const { numPassedTests: passed, numFailedTests, testResults } = JSON.parse(read(`${name}.json`))
  const broken = testResults.filter(file => file.status === 'failed' && file.assertionResults.length === 0)
  return { passed, failed: numFailedTests + broken.length, names: testResults.flatMap(failuresOf) }
}

/** What failed in one file of a vitest report, each with the beginning of its message. */
function failuresOf({ name, status, message, assertionResults }) {
  if (status === 'failed' && assertionResults.length === 0) return [`${name}: ${beginning(message)}`]
  return assertionResults
    .filter(test => test.status === 'failed')
    .map(test => `${name}: ${test.fullName}\n    ${beginning(test.failureMessages.join('\n'))}`)
}

/** The first lines of a message: what was expected and where, without the whole stack. */
const beginning = message => message.split('\n').slice(0, 12).join('\n    ')

/** Tests of a JUnit report written by ctest. */
function junit(name) {
  const report = read(`${name}.xml`)
  const attribute = key => Number(new RegExp(`<testsuite\\b[^>]*\\b${key}="(\\d+)"`).exec(report)?.[1])
  const names = [...report.matchAll(/<testcase name="([^"]*)"[^>]*status="fail"/g)].map(found => found[1])
  const failed = attribute('failures')
  return { passed: attribute('tests') - failed - attribute('skipped') - attribute('disabled'), failed, names }
}

/** The last `N passed, N failed` that a step printed. */
function printed(name) {
  const found = [...read(`${name}.log`).matchAll(/(\d+) passed, (\d+) failed/g)].pop()
  return { passed: Number(found?.[1]), failed: Number(found?.[2]) }
}

/** A step without a report: one thing that worked or did not. */
const whole = name => (exitStatus(name) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 })

const exitStatus = name => Number(read(`${name}.status`))

const steps = {
  test: vitest,
  check: name => JSON.parse(read(`${name}.json`)),
  asan: junit,
  tsan: junit,
  model: printed,
  fuzz: printed,
  prebuilds: whole,
  package: vitest
}

/**
 * What a step counted; a step that ended badly without naming a failure, or left no report, has
 * one.
 */
function count(name, counter) {
  try {
    const { passed, failed, names = [] } = counter(name)
    for (const failure of names) console.log(`failed in ${name}: ${failure}`)
    if (!Number.isInteger(passed) || !Number.isInteger(failed)) throw new Error('the report has no counts')
    return { passed, failed: failed === 0 && exitStatus(name) !== 0 ? 1 : failed }
  } catch (error) {
    console.log(`${name}: no usable report: ${error.message}`)
    return { passed: 0, failed: 1 }
  }
}

const sum = { passed: 0, failed: 0 }
for (const [name, counter] of Object.entries(steps)) {
  const { passed, failed } = count(name, counter)
  console.log(`${name.padEnd(10)} ${passed} passed, ${failed} failed`)
  sum.passed += passed
  sum.failed += failed
}
console.log(`${sum.passed} passed, ${sum.failed} failed`)
process.exitCode = sum.failed > 0 || sum.passed === 0 ? 1 : 0
