'use strict'

/*
 * One case of one scenario, in a process of its own: receives `{scenario, params, context}` and
 * answers with the result of the scenario's `run`, or with the error's stack.
 */
// Who asked is gone: nobody waits for the rest.
process.once('disconnect', () => process.exit(1))

process.once('message', async ({ scenario, params, context }) => {
  // Some peers wait for threads that hold no process open.
  process.channel.ref()
  try {
    const { run } = require('./scenarios').find(scenario)
    process.send({ result: await run(params, context) }, () => process.exit(0))
  } catch (error) {
    process.send({ error: error.stack ?? String(error) }, () => process.exit(1))
  }
})
