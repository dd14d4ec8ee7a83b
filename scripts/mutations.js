'use strict'

// Makes one deliberate mistake in the engine at a time and runs the native tests that should notice
// it.
//
//   node scripts/mutations.js [NAME...]     all by default; exits with 1 if one goes unnoticed
//
// Works on a copy of native/ in a temporary folder, which is removed at the end. Needs what
// scripts/test-native.js needs; takes about half a minute a mutation, and two minutes to begin
// with.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { root, run, runBin, runMain } = require('./run')
const { tool } = require('./tools')

/** The longest that one test program may take, in ms: some mistakes make it wait for ever. */
const TEST_MS = 120_000

/**
 * `from` stands in the file once, or `all` of its places are changed; `tests` are the programs that
 * should fail.
 */
const MUTATIONS = [
  {
    name: 'run-across-the-threshold',
    file: 'engine/buffer_sets.cc',
    from: 'first < threshold ? threshold : g.segments_per_shard',
    to: 'g.segments_per_shard + 0 * threshold',
    tests: ['buffer_sets_test']
  },
  {
    name: 'runs-grow-beyond-a-shard',
    file: 'engine/producer.cc',
    from: 'std::min(2 * run_, sets_->geometry().segments_per_shard)',
    to: '2 * run_',
    tests: ['producer_test']
  },
  {
    name: 'recycled-runs-count-as-filled',
    file: 'engine/producer.cc',
    from: 'if (IsOpen(lease.slot->Peek())) {',
    to: 'if (!lease.slot->Peek().sealed()) {',
    tests: ['producer_test']
  },
  {
    name: 'no-swap-before-a-run',
    file: 'engine/producer.cc',
    from: 'if (length.most > length.least && sets_->IsAtThreshold',
    to: 'if (length.most < length.least && sets_->IsAtThreshold',
    tests: ['producer_test']
  },
  {
    name: 'log-without-o-dsync',
    file: 'io/posix_file.cc',
    from: 'options.dsync ? O_DSYNC : 0',
    to: '0',
    tests: ['log_file_test']
  },
  {
    name: 'direct-log-without-o-dsync',
    file: 'io/posix_file.cc',
    from: 'O_DIRECT | sync_flag',
    to: 'O_DIRECT | (sync_flag & 0)',
    tests: ['log_file_test']
  },
  {
    name: 'log-without-o-append',
    file: 'io/posix_file.cc',
    from: 'create_flag | O_APPEND |',
    to: 'create_flag |',
    tests: ['log_file_test']
  },
  {
    name: 'log-without-o-cloexec',
    file: 'io/posix_file.cc',
    from: 'O_APPEND | O_CLOEXEC | sync_flag, 0644',
    to: 'O_APPEND | sync_flag, 0644',
    tests: ['log_file_test']
  },
  {
    name: 'no-lock-on-reopen',
    file: 'sink/log_file.cc',
    from: 'error = file->Lock();',
    to: 'error = 0;',
    tests: ['log_file_test']
  },
  {
    name: 'other-boot-believed',
    file: 'log/recovery.cc',
    from: 'if (is_told && header.boot_id == boot)',
    to: 'if (is_told || header.boot_id == boot)',
    tests: ['recovery_test']
  },
  {
    name: 'any-log-is-proven',
    file: 'sink/log_tail.cc',
    from: 'format::Crc32c(there.data(), proof.bytes) == proof.crc',
    to: 'true',
    tests: ['recovery_test', 'log_file_test']
  },
  {
    name: 'journal-state-not-checked',
    file: 'engine/journal.cc',
    from: 'if (current != 1 && current != 2) return false;',
    to: 'if (current == 0) return false;',
    tests: ['recovery_test']
  },
  {
    name: 'segments-not-marked',
    file: 'sink/block_encoder.cc',
    from: 'block.slot->in_log = context.generation + 1;',
    to: 'block.slot->in_log = context.generation * 0;',
    tests: ['flusher_test', 'recovery_test', 'crash_consistency_test']
  },
  {
    name: 'padding-in-leased-segment',
    file: 'sink/block_encoder.cc',
    from: '!segment.leased && end <= memory_bytes',
    to: 'end <= memory_bytes',
    tests: ['buffer_sets_test', 'producer_test', 'log_test']
  },
  {
    name: 'direct-from-anywhere',
    file: 'sink/batch_writer.cc',
    from: 'if (log_->end() % unit != 0) return false;',
    to: '',
    tests: ['flusher_test', 'line_log_test']
  },
  {
    name: 'moved-appends-believed',
    file: 'sink/log_file.cc',
    from: '*moved = start != end_;',
    to: '*moved = start != start;',
    tests: ['log_file_test']
  },
  {
    name: 'torn-unit-repeated',
    file: 'sink/write_progress.cc',
    from: 'torn_ = torn;',
    to: 'torn_ = torn * 0;',
    tests: ['flusher_test', 'line_log_test']
  },
  {
    name: 'failed-append-repeated',
    file: 'sink/log_file.cc',
    from: 'unsynced_ = CountThere(parts, count, SIZE_MAX);',
    to: '',
    tests: ['log_file_test']
  },
  {
    name: 'written-not-marked',
    file: 'engine/sink.cc',
    from: 'sets_->MarkWritten(generation);',
    to: '',
    tests: ['flusher_test']
  },
  {
    name: 'written-after-recycle',
    file: 'engine/sink.cc',
    from: 'sets_->MarkWritten(generation);\n  if (recycle) sets_->Recycle(generation);',
    to: 'if (recycle) sets_->Recycle(generation);\n  sets_->MarkWritten(generation);',
    tests: ['interrupted_steps_test']
  },
  {
    name: 'claim-not-read-again',
    file: 'engine/buffer_sets.cc',
    from: 'if (!is_sound || !word.Read().Accepts(generation)) {',
    to: 'if (!is_sound) {',
    tests: ['interrupted_steps_test']
  },
  {
    name: 'arena-for-everybody',
    file: 'engine/arena_file.cc',
    from: '0600',
    to: '0666',
    all: true,
    tests: ['arena_file_test']
  },
  {
    name: 'arena-follows-links',
    file: 'engine/arena_file.cc',
    from: 'O_CLOEXEC | O_NOFOLLOW',
    to: 'O_CLOEXEC',
    tests: ['arena_file_test']
  },
  {
    name: 'arena-over-others-files',
    file: 'engine/arena_file.cc',
    from: 'O_CREAT | O_EXCL',
    to: 'O_CREAT',
    tests: ['arena_file_test']
  },
  {
    name: 'arena-survives-exec',
    file: 'engine/arena_file.cc',
    from: 'O_CLOEXEC | O_NOFOLLOW',
    to: 'O_NOFOLLOW',
    tests: ['arena_file_test']
  },
  {
    name: 'arena-not-reserved',
    file: 'engine/arena_file.cc',
    from: 'failed = posix_fallocate(fd_, 0, static_cast<off_t>(bytes));',
    to: 'failed = ftruncate(fd_, static_cast<off_t>(bytes));',
    tests: ['arena_file_test']
  },
  {
    name: 'cut-words-are-believed',
    file: 'engine/buffer_sets.cc',
    from: 'arena_->HasItsEnd() && arena_->IsMarked(&word) && arena_->IsMarked(&slot)',
    to: 'true',
    tests: ['arena_cut_test']
  },
  {
    name: 'cut-end-not-looked-at',
    file: 'engine/buffer_sets.cc',
    from: 'if (!arena_->HasItsEnd()) return ClaimResult::kStartOver;',
    to: '',
    tests: ['arena_cut_test']
  },
  {
    name: 'cut-words-are-copied',
    file: 'engine/arena_move.cc',
    from: 'if (is_cut && !arena_.IsControlWhole()) {',
    to: 'if (false) {',
    tests: ['arena_cut_test']
  },
  {
    name: 'cut-data-is-copied',
    file: 'engine/arena_move.cc',
    from: 'is_cut ? arena_.CountWhole(segment.data, bytes) : bytes',
    to: 'bytes',
    tests: ['arena_cut_test']
  },
  {
    name: 'cut-generation-is-known',
    file: 'engine/arena_move.cc',
    from: 'arena_.MakeControl(copy_.at(), sets_.NextUnseen());',
    to: 'arena_.MakeControl(copy_.at(), 0);',
    tests: ['arena_cut_test']
  },
  {
    name: 'text-of-any-units',
    file: 'engine/narrow.h',
    from: "0xff80'ff80'ff80'ff80",
    to: "0xff00'ff00'ff00'ff00",
    tests: ['producer_test']
  },
  {
    name: 'last-units-not-looked-at',
    file: 'engine/narrow.h',
    from: 'seen |= NarrowBlock(to + (length - kNarrowBlock)',
    to: 'NarrowBlock(to + (length - kNarrowBlock)',
    tests: ['producer_test']
  },
  {
    name: 'text-beyond-the-lease',
    file: 'engine/js_control.h',
    from: 'at > end || length > end - at ||',
    to: 'at > end ||',
    tests: ['producer_test']
  },
  {
    name: 'text-without-its-place',
    file: 'engine/js_control.h',
    from: '|| memory[at - 1] != length',
    to: '',
    tests: ['producer_test']
  },
  {
    name: 'sigbus-not-handed-on',
    file: 'platform/cuttable_mapping.cc',
    from: '    HandOn(signal, info, context);\n',
    to: '',
    tests: ['cuttable_mapping_test']
  }
]

function configure(copy, build) {
  // A mistake that the compiler warns of is not one that the tests have noticed.
  const lists = path.join(copy, 'CMakeLists.txt')
  const strict = { name: 'warnings', from: '-Wall -Wextra -Werror', to: '-w' }
  fs.writeFileSync(lists, change(fs.readFileSync(lists, 'utf8'), strict))
  const define = [`--CDCMAKE_CXX_COMPILER=${tool('clang++')}`]
  runBin('cmake-js', 'cmake-js', [
    'configure',
    '-d',
    copy,
    '-O',
    build,
    '-G',
    'Ninja',
    '-B',
    'RelWithDebInfo',
    ...define
  ])
}

const ninja = (build, targets) => spawnSync('ninja', targets, { cwd: build, encoding: 'utf8', maxBuffer: 1 << 28 })

/** Whether a test program fails; the name says which one. */
const fails = (build, test) =>
  spawnSync(path.join(build, 'test', test), [], {
    cwd: build,
    stdio: 'ignore',
    timeout: TEST_MS,
    killSignal: 'SIGKILL'
  }).status !== 0

function change(text, { name, from, to, all }) {
  const places = text.split(from).length - 1
  if (places === 0 || (places > 1 && !all)) throw new Error(`${name}: ${places} places to change`)
  return text.split(from).join(to)
}

/** The program that noticed the mistake, or null. */
function notice(mutation, copy, build) {
  const file = path.join(copy, mutation.file)
  const original = fs.readFileSync(file, 'utf8')
  fs.writeFileSync(file, change(original, mutation))
  try {
    const { status, stdout } = ninja(build, mutation.tests)
    if (status !== 0) throw new Error(`${mutation.name} does not compile:\n${stdout.slice(-2_000)}`)
    return mutation.tests.find(test => fails(build, test)) ?? null
  } finally {
    fs.writeFileSync(file, original)
  }
}

function main() {
  const names = process.argv.slice(2)
  const chosen = names.length > 0 ? MUTATIONS.filter(({ name }) => names.includes(name)) : MUTATIONS
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-mutations-'))
  try {
    const copy = path.join(folder, 'native')
    const build = path.join(folder, 'build')
    fs.cpSync(path.join(root, 'native'), copy, { recursive: true })
    for (const needed of ['include', 'scripts', 'package.json', 'node_modules']) {
      fs.symlinkSync(path.join(root, needed), path.join(folder, needed))
    }
    configure(copy, build)
    const tests = [...new Set(chosen.flatMap(mutation => mutation.tests))]
    run('ninja', tests, { cwd: build, stdio: 'ignore' })
    const broken = tests.filter(test => fails(build, test))
    if (broken.length > 0) throw new Error(`without a mistake these fail already: ${broken.join(', ')}`)
    let noticed = 0
    for (const mutation of chosen) {
      const by = notice(mutation, copy, build)
      if (by !== null) noticed++
      console.log(`${by === null ? 'UNNOTICED' : 'noticed  '} ${mutation.name}${by === null ? '' : `: ${by}`}`)
    }
    console.log(`${noticed} of ${chosen.length} mistakes noticed`)
    if (noticed < chosen.length) process.exitCode = 1
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

runMain(main)
