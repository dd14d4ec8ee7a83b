#include "log/log_sources.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/error.h"
#include "sink/append_point.h"

namespace shardlog::engine {
namespace {

// What a file that has only the beginning of the log's name has to have in common with the log:
// lines, unlike blocks, do not tell which log they are of, and short ones may be in others, too.
constexpr uint32_t kMinProofBytes = 1024;

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
         state.tail_bytes >= kMinProofBytes;
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

// What others may have made of the log since: the file that is proven, and those that came after
// it, to which the log may have gone on.
void AddRotated(const LogFile& log, const ArenaHeader& header, const JournalState* state,
                bool everything, LogSources* sources) {
  struct Rotated {
    LogSource source;
    bool proven;
    io::FileInfo info;
  };
  std::vector<Rotated> found;
  // Two names may lead to it: a folder and a symbolic link to that.
  const auto is_known = [&found](const io::FileInfo& info) {
    return std::any_of(found.begin(), found.end(), [&info](const Rotated& other) {
      return other.info.device == info.device && other.info.inode == info.inode;
    });
  };
  uint64_t since = 0;
  for (const std::string& path : log.files()->Siblings(log.path())) {
    std::unique_ptr<io::File> file = OpenRotated(path, header, log);
    io::FileInfo info;
    if (file == nullptr || file->Stat(&info) != 0 || is_known(info)) continue;
    const bool proven = state != nullptr && state->end != 0 &&
                        IsProofFor(path, log, header, *state) &&
                        IsProven(file.get(), info.size, *state);
    // A file that has only the beginning of the name may be anybody's.
    if (!proven && path.rfind(log.path(), 0) != 0) continue;
    if (proven && !everything) since = std::max(since, info.changed_time);
    sources->proven = sources->proven || proven;
    const uint64_t from = proven && !everything ? state->end : 0;
    io::File* const opened = file.get();
    found.push_back({{path, opened, from, info.size, std::move(file)}, proven, info});
  }
  for (Rotated& rotated : found) {
    if (!rotated.proven && rotated.info.changed_time < since) continue;
    sources->files.push_back(std::move(rotated.source));
  }
}

}  // namespace

LogSources FindSources(LogFile* log, const ArenaHeader& header, const JournalState* state,
                       bool everything) {
  LogSources sources;
  const uint64_t size = SizeOf(log->file(), log->path());
  const uint64_t end = state == nullptr ? 0 : state->end;
  sources.proven = state != nullptr && IsProven(log->file(), size, *state);
  const bool from_start = everything || !sources.proven;
  sources.files.push_back({log->path(), log->file(), from_start ? 0 : end, size, nullptr});
  // An end of 0 proves nothing: what was written first may be in a file that was renamed.
  if (sources.proven && end != 0 && !everything) return sources;
  AddRotated(*log, header, state, everything, &sources);
  return sources;
}

}  // namespace shardlog::engine
