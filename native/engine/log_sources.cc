#include "engine/log_sources.h"

#include <cstring>
#include <utility>

#include "engine/append_point.h"
#include "engine/error.h"

namespace shardlog::engine {
namespace {

// What a file that has only the beginning of the log's name has to have in common with the log:
// lines, unlike blocks, do not tell which log they are of, and short ones may be in others, too.
constexpr uint32_t kLeastProofBytes = 1024;

uint64_t SizeOf(io::File* file, const std::string& path) {
  io::FileInfo info;
  const int error = file->Stat(&info);
  if (error == 0) return info.size;
  throw Error("ERR_SHARDLOG_RECOVERY",
              "recovery into " + path + " failed: fstat: " + std::strerror(-error), -error, "fstat",
              path);
}

bool IsProven(io::File* file, uint64_t size, const JournalState& state) {
  return size >= state.end && LogTail::Holds(file, state.end, {state.tail_bytes, state.tail_crc});
}

// Whether the state proves enough for a file of this name. Rotations add to the whole name, or put
// something before its extension.
bool IsProofFor(const std::string& path, const LogFile& log, const ArenaHeader& header,
                const JournalState& state) {
  return path.rfind(log.path(), 0) == 0 ||
         header.content == static_cast<uint32_t>(Content::kEntries) ||
         state.tail_bytes >= kLeastProofBytes;
}

// Arenas lie beside the log, and their segments look like blocks.
bool IsArena(io::File* file) {
  uint64_t magic = 0;
  return ReadFully(file, &magic, sizeof magic, 0) == 0 && magic == kArenaMagic;
}

// A file that the log may have been renamed or copied to since the arena was made; null if it is
// none.
std::unique_ptr<io::File> OpenRotated(const std::string& path, const ArenaHeader& header,
                                      const LogFile& log) {
  io::FileInfo info;
  if (log.files()->StatPath(path, &info) != 0) return nullptr;
  const bool same = info.device == log.info().device && info.inode == log.info().inode;
  if (same || info.owner != log.info().owner || info.changed_time < header.created_time) {
    return nullptr;
  }
  io::OpenOptions options = log.options();
  options.direct = io::DirectIo::kOff;
  options.create = false;
  int error = 0;
  const char* call = "";
  std::unique_ptr<io::File> file = log.files()->Open(path, options, &error, &call);
  return file != nullptr && !IsArena(file.get()) ? std::move(file) : nullptr;
}

}  // namespace

LogSources FindSources(LogFile* log, const ArenaHeader& header, const JournalState* state,
                       bool everything) {
  LogSources sources;
  const uint64_t size = SizeOf(log->file(), log->path());
  sources.proven = state != nullptr && IsProven(log->file(), size, *state);
  const bool from_start = everything || !sources.proven;
  sources.files.push_back({log->path(), log->file(), from_start ? 0 : state->end, size, nullptr});
  // An end of 0 proves nothing: what was written first may be in a file that was renamed.
  if (sources.proven && state->end != 0) return sources;
  for (const std::string& path : log->files()->Siblings(log->path())) {
    if (state == nullptr || !IsProofFor(path, *log, header, *state)) continue;
    std::unique_ptr<io::File> file = OpenRotated(path, header, *log);
    if (file == nullptr) continue;
    const uint64_t rotated = SizeOf(file.get(), path);
    if (!IsProven(file.get(), rotated, *state)) continue;
    sources.proven = true;
    io::File* const opened = file.get();
    sources.files.push_back({path, opened, everything ? 0 : state->end, rotated, std::move(file)});
  }
  return sources;
}

}  // namespace shardlog::engine
