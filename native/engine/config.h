// What the engine is opened with, already validated by lib/config.ts and checked again where memory
// safety depends on it (Geometry).
#pragma once

#include <cstdint>
#include <string>

#include "io/file.h"

namespace shardlog::engine {

enum class CrashSafe { kFile, kShm, kOff };
enum class OnFull { kDrop, kBlock };
enum class ShardSelection { kAffinity, kRoundRobin };

// What an entry's payload is; stands in the arena's header.
enum class Content : uint32_t {
  kEntries = 0,  // bytes that go out as they are
  kRecords = 1   // docs/reference/record-format.md: a line is made of each
};
// What the file is; stands in the arena's header.
enum class Format : uint32_t {
  kShard = 0,  // docs/reference/log-format.md
  kNdjson = 1  // lines, nothing else
};

inline constexpr uint64_t kNsPerMs = 1'000'000;

struct Config {
  std::string path;  // absolute; of a descriptor, its name for messages
  // Of a descriptor with CrashSafe::kFile: the file that lines which a kill left are recovered to,
  // absolute; the arena lies beside it.
  std::string recover_to;
  std::string arena_dir;  // absolute: where an arena's file lies; empty: beside the log
  int descriptor = -1;    // where lines go instead of a file: kRecords as kNdjson
  uint64_t buffer_bytes = 64u << 20;
  uint32_t num_shards = 8;
  uint64_t flush_interval_ns = 10'000 * kNsPerMs;  // 0: no timer
  uint64_t flush_timeout_ns = 10 * kNsPerMs;
  uint64_t block_timeout_ns = 1'000 * kNsPerMs;  // UINT64_MAX: for ever
  // Of a descriptor: how long its end may take.
  uint64_t exit_timeout_ns = UINT64_MAX;
  bool use_mmap = false;
  CrashSafe crash_safe = CrashSafe::kFile;
  OnFull on_full = OnFull::kDrop;
  ShardSelection shard_selection = ShardSelection::kAffinity;
  Content content = Content::kEntries;
  Format format = Format::kShard;  // kNdjson only with kRecords
  io::OpenOptions io;
};

}  // namespace shardlog::engine
