// Any damage to an arena, and any log beside it: recovery must not crash, hang or touch memory
// outside, and must end in one of four ways: drained and removed, set aside unchanged, kept with an
// error, or refused.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "engine/arena.h"
#include "engine/arena_paths.h"
#include "engine/buffer_sets.h"
#include "engine/error.h"
#include "engine/journal.h"
#include "engine/producer.h"
#include "fuzz/memory_files.h"
#include "log/recovery.h"
#include "platform/clock.h"

namespace engine = shardlog::engine;
using shardlog::fuzz::MemoryFiles;

namespace {

constexpr size_t kControlBytes = 4096 + 2 * 64 + 2 * 16 * 64;
constexpr size_t kEditBytes = 6;  // where (4), what (2)

std::string Directory() {
  static const std::string directory = [] {
    std::string name = "/dev/shm/shardlog-fuzz-XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    return name;
  }();
  return directory;
}

std::vector<uint8_t> ReadAll(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY);
  std::vector<uint8_t> bytes(static_cast<size_t>(fd < 0 ? 0 : lseek(fd, 0, SEEK_END)));
  if (fd < 0 || pread(fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  close(fd);
  return bytes;
}

// An arena that a process left with entries in both sets: generation 0 half written, generation 1
// active.
std::vector<uint8_t> SoundArena() {
  engine::Config config;
  config.path = Directory() + "/log";
  config.num_shards = 1;
  config.buffer_bytes = 2 * engine::kMinShardBytes;
  config.crash_safe = engine::CrashSafe::kFile;
  {
    const shardlog::io::FileInfo info{1, 2, 0, 1};
    auto sets = std::make_shared<engine::BufferSets>(engine::Arena::Create(config, info, 99));
    auto signals = std::make_shared<engine::Signals>();
    engine::Producer first(sets, signals, config, 1);
    engine::Producer second(sets, signals, config, 2);
    const std::string entry(300, 'e');
    for (int i = 0; i < 40; i++) (i % 3 == 0 ? first : second).Append(entry.data(), entry.size());
    sets->TrySwap(0);
    sets->Seal(0, 0);
    engine::Journal& journal = sets->arena().header().journal;
    journal.base = 512;
    journal.generation.store(0);
    engine::JournalState state{};
    state.end = 512;
    engine::StoreJournalState(&sets->arena().header(), state);
    for (int i = 0; i < 20; i++) first.Append(entry.data(), entry.size());
  }
  const std::vector<uint8_t> bytes = ReadAll(engine::FileArenaPath(config.path));
  unlink((engine::FileArenaPath(config.path)).c_str());
  return bytes;
}

void WriteArena(const std::string& path, const std::vector<uint8_t>& bytes) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || write(fd, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    std::abort();
  close(fd);
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

// Byte 0: options. Then edits of the arena, 6 bytes each, up to their number in byte 1; the rest is
// the log.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<uint8_t> sound = SoundArena();
  if (size < 2) return 0;
  std::vector<uint8_t> arena = sound;
  const uint8_t options = data[0];
  size_t at = 2;
  for (int edits = data[1]; edits > 0 && at + kEditBytes <= size; edits--, at += kEditBytes) {
    uint32_t where = 0;
    std::memcpy(&where, data + at, sizeof where);
    // Most of what can go wrong is in the control part.
    where %= static_cast<uint32_t>(where % 4 == 0 ? arena.size() : kControlBytes);
    arena[where] = data[at + 4];
    if (where + 1 < arena.size()) arena[where + 1] = data[at + 5];
  }
  if ((options & 4) != 0) arena.resize(arena.size() / 2);

  const std::string path = Directory() + "/.log.arena";
  WriteArena(path, arena);
  MemoryFiles files((options & 1) != 0 ? 4096 : 512);
  files.bytes.assign(data + at, data + size);
  engine::LogFile log(&files, Directory() + "/log", {});
  try {
    const engine::RecoveryReport report = engine::RecoverArena(path, &log, (options & 2) != 0);
    if (Exists(path)) std::abort();
    if (!report.set_aside.empty()) {
      if (ReadAll(report.set_aside) != arena) std::abort();
      if (!std::equal(files.bytes.begin(), files.bytes.end(), data + at, data + size)) std::abort();
      unlink(report.set_aside.c_str());
    }
  } catch (const engine::Error&) {
    if (!Exists(path)) std::abort();
    unlink(path.c_str());
  }
  return 0;
}
