'use strict'

// A process with a recorder, which lives as its first argument says. Options of the recorder as
// JSON in the second.

const { Recorder } = require('../../..')

const [, , life, options] = process.argv
const recorder = new Recorder(JSON.parse(options))

/** Records numbered events and says how far it has got, until it is killed. */
function recordForEver() {
  let n = 0
  const step = () => {
    for (let i = 0; i < 500; i++) recorder.record('info', 'child', 'step', { n: ++n, text: `event ${n}`, half: n / 2 })
    require('node:fs').writeSync(1, `${n}\n`)
    setImmediate(step)
  }
  step()
}

const lives = {
  forever: recordForEver,
  throws: () => {
    recorder.record('debug', 'child', 'before')
    setTimeout(() => {
      throw new TypeError('a bug')
    })
  },
  throwsRiddle: () => {
    const fail = () => {
      throw new Error('asked for its message')
    }
    setTimeout(() => {
      throw Object.defineProperty(new Error(), 'message', { get: fail })
    })
  },
  rejects: () => void Promise.reject(new Error('not caught')),
  observes: () => {
    process.on('unhandledRejection', error => console.log(`handler: ${error.message}`))
    void Promise.reject(new Error('caught late'))
  },
  forgets: () => {
    new Recorder({ ...JSON.parse(options), service: 'second' })
    const handler = error => {
      console.log(`handler: ${error.message}`)
      process.off('unhandledRejection', handler)
      setImmediate(() => void Promise.reject(new Error('not caught')))
    }
    process.on('unhandledRejection', handler)
    void Promise.reject(new Error('caught late'))
  },
  crowd: () => {
    for (let i = 0; i < 12; i++) new Recorder({ ...JSON.parse(options), service: `other-${i}` })
  },
  storm: () => {
    let handled = 0
    process.on('unhandledRejection', () => {
      if (++handled === 4) process.exit()
    })
    for (let i = 0; i < 4; i++) void Promise.reject(new Error(`late ${i}`))
  },
  exceptions: () => {
    let handled = 0
    process.on('uncaughtException', () => {
      if (++handled === 4) process.exit()
    })
    for (let i = 0; i < 4; i++) {
      setImmediate(() => {
        throw new Error(`late ${i}`)
      })
    }
  },
  harvests: () => recorder.harvested.then(files => console.log(JSON.stringify(files))),
  hangs: () => {
    recorder.record('info', 'child', 'about to hang', { loop: true })
    console.log('hanging')
    setImmediate(() => {
      for (;;);
    })
  },
  signal: () => {
    recorder.record('info', 'child', 'alive')
    const timer = setInterval(() => {
      if (recorder.stats.snapshots === 0) return
      console.log(recorder.stats.lastSnapshot)
      clearInterval(timer)
    }, 5)
    process.kill(process.pid, 'SIGUSR2')
  },
  throwsAtExit: () => {
    recorder.record('debug', 'child', 'before')
    process.on('exit', () => {
      recorder.record('debug', 'child', 'ending')
      throw new RangeError('at the end')
    })
  },
  // Its own handlers tell what they see of it.
  throwsAtExitWithHandlers: () => {
    process.exitCode = 3
    process.on('uncaughtException', error => {
      const { snapshots, snapshotErrors, lastError } = recorder.stats
      const said = { error: error.message, snapshots, snapshotErrors, code: lastError?.code ?? null }
      require('node:fs').writeSync(1, `${JSON.stringify(said)}\n`)
    })
    lives.throwsAtExit()
  },
  throwsAtAskedExit: () => {
    process.on('exit', () => {
      throw new RangeError('at the end')
    })
    setImmediate(() => process.exit(0))
  },
  // In a directory of which little can be had.
  tries: async () => {
    recorder.record('info', 'child', 'first')
    const failed = await recorder.snapshot('tried').then(
      () => null,
      ({ code, errno }) => ({ code, errno })
    )
    recorder.record('fatal', 'child', 'second')
    const { snapshots, snapshotErrors } = recorder.stats
    const kept = recorder.takeSnapshot().map(event => event.message)
    console.log(JSON.stringify({ failed, snapshots, snapshotErrors, kept }))
  },
  triesAsNobody: () => {
    require('cbor-x')
    require('lz4-napi')
    process.setgid(65534)
    process.setuid(65534)
    return lives.tries()
  },
  triesWhereItWas: () => {
    require('node:fs').rmSync(JSON.parse(options).directory, { recursive: true })
    return lives.tries()
  },
  aborts: () => {
    recorder.record('debug', 'child', 'before')
    process.abort()
  },
  loadsBadAddon: () => {
    recorder.record('debug', 'child', 'before')
    process.dlopen({ exports: {} }, process.argv[4])
  },
  waits: () => {
    recorder.record('debug', 'child', 'before')
    console.log('waiting')
    setInterval(() => undefined, 1000)
  },
  // Takes memory until it is killed, once it is told to.
  eats: () => {
    console.log('hungry')
    process.stdin.once('data', () => {
      const eaten = []
      for (let n = 1; ; n++) {
        recorder.record('debug', 'child', 'takes more', { n })
        eaten.push(Buffer.alloc(1 << 20, 1))
      }
    })
  },
  snapshots: () => {
    recorder.record('info', 'child', 'about to be killed')
    void recorder.snapshot('left').then(() => console.log('written'))
    setInterval(() => undefined, 1000)
  },
  uploads: async () => {
    recorder.record('info', 'child', 'to be uploaded')
    await recorder.snapshot('upload')
    const all = await recorder.uploaded()
    console.log(JSON.stringify({ all, stats: recorder.stats }))
  },
  uploadsLeft: async () => {
    await recorder.harvested
    const all = await recorder.uploaded()
    console.log(JSON.stringify({ all, stats: recorder.stats }))
  },
  stallsQuietly: () => {
    setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600), 60)
    const timer = setInterval(() => {
      if (recorder.length === 0) return
      console.log(JSON.stringify(recorder.takeSnapshot(), (_, value) => (typeof value === 'bigint' ? null : value)))
      clearInterval(timer)
    }, 5)
  },
  stalls: () => {
    setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 600), 60)
    const timer = setInterval(() => {
      if (recorder.stats.snapshots === 0) return
      console.log(recorder.stats.lastSnapshot)
      clearInterval(timer)
    }, 5)
  }
}

lives[life]()
