#include "log/log_registry.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <list>
#include <mutex>
#include <new>
#include <optional>
#include <vector>

#include "engine/error.h"

namespace shardlog::engine {
namespace {

struct OpenLog {
  std::string path;
  std::shared_ptr<Log> log;                // null: it is being opened
  size_t users;                            // 0: it is being closed, or opened
  std::optional<io::StreamTarget> target;  // of a descriptor; none: it is a file
};

struct Registry {
  std::mutex mutex;
  std::condition_variable changed;  // a log is open, could not be opened, or is closed
  std::list<OpenLog> logs;
};

void CloseAll();
void BeforeFork();
void AfterForkInParent();
void AfterForkInChild();

// Never destroyed: exit handlers and flusher threads may come after static destructors.
Registry& TheRegistry() {
  static Registry* const registry = [] {
    // process.exit() skips the clean-up hooks of the main thread, but not these.
    std::atexit(CloseAll);
    pthread_atfork(BeforeFork, AfterForkInParent, AfterForkInChild);
    return new Registry;
  }();
  return *registry;
}

// In the words of who opened it.
std::string KindOf(const Config& config) {
  if (config.content == Content::kEntries) return "a Logger";
  const char* const format = config.format == Format::kNdjson ? "'ndjson'" : "'shard'";
  return std::string("a destination with format ") + format;
}

bool IsOpening(const OpenLog& open) { return open.log == nullptr; }

void CloseAll() {
  Registry& registry = TheRegistry();
  std::unique_lock<std::mutex> lock(registry.mutex);
  registry.changed.wait(
      lock, [&] { return std::none_of(registry.logs.begin(), registry.logs.end(), IsOpening); });
  for (OpenLog& open : registry.logs) open.log->Close();
}

// The lock is held over fork(), so that the child's copy of the list is whole.
void BeforeFork() { TheRegistry().mutex.lock(); }
void AfterForkInParent() { TheRegistry().mutex.unlock(); }
void AfterForkInChild() {
  Registry& registry = TheRegistry();
  for (OpenLog& open : registry.logs) {
    if (IsOpening(open)) continue;  // by a thread that did not come along
    open.log->AbandonAfterFork();
    // Its flusher did not come along, so it cannot be closed or destroyed either.
    new std::shared_ptr<Log>(std::move(open.log));
  }
  registry.logs.clear();
  // Those who wait for it did not come along either, and it would wait for them.
  new (&registry.changed) std::condition_variable;
  registry.mutex.unlock();
}

bool IsSame(const io::FileInfo& a, const io::FileInfo& b) {
  return a.device == b.device && a.inode == b.inode;
}

// Whether the log's file, or what is at the path that it is being opened by, is the file `named`.
bool IsOf(const OpenLog& open, const io::FileInfo& named, io::FileSystem* files) {
  io::FileInfo info;
  if (open.target.has_value()) return false;
  if (!IsOpening(open)) {
    info = open.log->file_info();
  } else if (files->StatPath(open.path, &info) != 0) {
    return false;
  }
  return IsSame(info, named);
}

// Whether the log's path still names its file. One that was renamed is a log of its own under its
// new name.
bool HasItsPath(const OpenLog& open, io::FileSystem* files) {
  io::FileInfo named;
  return IsOpening(open) || (files->StatPath(open.path, &named) == 0 && IsOf(open, named, files));
}

// The log of the file that `path` names, or else the one that was opened as `path`: its file was
// moved or deleted, and the flusher is going to make it anew.
OpenLog* FindFile(Registry* registry, const std::string& path, io::FileSystem* files) {
  io::FileInfo named;
  if (files->StatPath(path, &named) == 0) {
    for (OpenLog& open : registry->logs) {
      if (IsOf(open, named, files) && HasItsPath(open, files)) return &open;
    }
  }
  for (OpenLog& open : registry->logs) {
    if (!open.target.has_value() && open.path == path) return &open;
  }
  return nullptr;
}

// What is to be opened: a file, or what a descriptor leads to.
struct Wanted {
  const Config& config;
  std::optional<io::StreamTarget> target;
  io::FileSystem* files;
};

OpenLog* Find(Registry* registry, const Wanted& wanted) {
  if (!wanted.target.has_value()) return FindFile(registry, wanted.config.path, wanted.files);
  for (OpenLog& open : registry->logs) {
    if (open.target == wanted.target) return &open;
  }
  return nullptr;
}

[[noreturn]] void ThrowStreamError(const Config& config, int error, const char* call) {
  throw Error("ERR_SHARDLOG_IO",
              "cannot write to " + config.path + ": " + call + ": " + std::strerror(-error), -error,
              call, "");
}

std::optional<io::StreamTarget> TargetOf(const Config& config) {
  if (config.descriptor < 0) return std::nullopt;
  int error = 0;
  const char* call = "";
  const std::optional<io::StreamTarget> target = io::TargetOf(config.descriptor, &error, &call);
  if (!target.has_value()) ThrowStreamError(config, error, call);
  return target;
}

std::shared_ptr<Log> Open(const Wanted& wanted) {
  if (!wanted.target.has_value()) return Log::Open(wanted.config, wanted.files);
  int error = 0;
  const char* call = "";
  auto stream = io::OpenStream(wanted.config.descriptor, &error, &call);
  if (stream == nullptr) ThrowStreamError(wanted.config, error, call);
  return Log::Open(wanted.config, std::move(stream));
}

// Two kinds of content do not share buffers, nor two forms a file.
void CheckSameKind(const Config& open, const Config& wanted) {
  if (open.content == wanted.content && open.format == wanted.format) return;
  throw Error("ERR_SHARDLOG_CONFIG",
              wanted.path + " is open in this process for " + KindOf(open) + "; " + KindOf(wanted) +
                  " needs a file of its own",
              0, "", wanted.path);
}

// The log that is wanted, with one more user, once it is neither being opened nor closed; null
// if there is none.
std::shared_ptr<Log> JoinOpen(Registry* registry, const Wanted& wanted,
                              std::unique_lock<std::mutex>* lock) {
  while (OpenLog* open = Find(registry, wanted)) {
    if (open->users > 0) {
      CheckSameKind(open->log->config(), wanted.config);
      open->users++;
      return open->log;
    }
    registry->changed.wait(*lock);
  }
  return nullptr;
}

// Open logs that still write to what `wanted` names, although their own path names another file by
// now: they begin that one, and give this one up. Whether there were any; the lock was open then,
// and somebody else may have begun to open what is wanted.
bool LetGo(Registry* registry, const Wanted& wanted, std::unique_lock<std::mutex>* lock) {
  io::FileInfo named;
  if (wanted.target.has_value() || wanted.files->StatPath(wanted.config.path, &named) != 0) {
    return false;
  }
  std::vector<std::shared_ptr<Log>> moved;
  for (const OpenLog& open : registry->logs) {
    if (!IsOpening(open) && IsOf(open, named, wanted.files)) moved.push_back(open.log);
  }
  if (moved.empty()) return false;
  lock->unlock();
  for (const std::shared_ptr<Log>& log : moved) log->flusher().LookForFile();
  lock->lock();
  return true;
}

// Opens a log without the registry's lock, which recovery and slow disks would keep from others,
// and from fork(), for long.
std::shared_ptr<Log> OpenUnlocked(Registry* registry, const Wanted& wanted,
                                  std::unique_lock<std::mutex>* lock) {
  const auto entry =
      registry->logs.insert(registry->logs.end(), {wanted.config.path, nullptr, 0, wanted.target});
  lock->unlock();
  std::shared_ptr<Log> log;
  try {
    log = Open(wanted);
  } catch (...) {
    lock->lock();
    registry->logs.erase(entry);
    registry->changed.notify_all();
    throw;
  }
  lock->lock();
  entry->log = log;
  entry->users = 1;
  registry->changed.notify_all();
  return log;
}

}  // namespace

std::shared_ptr<Log> Join(const Config& config, io::FileSystem* files) {
  const Wanted wanted{config, TargetOf(config), files};
  Registry& registry = TheRegistry();
  std::unique_lock<std::mutex> lock(registry.mutex);
  for (;;) {
    std::shared_ptr<Log> log = JoinOpen(&registry, wanted, &lock);
    if (log == nullptr && LetGo(&registry, wanted, &lock)) log = JoinOpen(&registry, wanted, &lock);
    if (log != nullptr) return log;
    try {
      return OpenUnlocked(&registry, wanted, &lock);
    } catch (const Error& error) {
      // Locked by ourselves: a file that did not exist yet was being opened under another name.
      const bool locked = error.code() == "ERR_SHARDLOG_LOCKED";
      if (!locked || Find(&registry, wanted) == nullptr) throw;
    }
  }
}

IoStatus Leave(const std::shared_ptr<Log>& log) {
  Registry& registry = TheRegistry();
  std::unique_lock<std::mutex> lock(registry.mutex);
  const auto is_it = [&log](const OpenLog& open) { return open.log == log; };
  const auto open = std::find_if(registry.logs.begin(), registry.logs.end(), is_it);
  if (open == registry.logs.end() || --open->users > 0) return {};
  // Writing may take long; other logs, and fork(), do not wait for it.
  lock.unlock();
  const IoStatus status = log->Close();
  lock.lock();
  std::erase_if(registry.logs, is_it);
  registry.changed.notify_all();
  return status;
}

}  // namespace shardlog::engine
