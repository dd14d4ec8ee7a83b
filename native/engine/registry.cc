#include "engine/registry.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <list>
#include <mutex>
#include <new>

#include "engine/error.h"

namespace shardlog::engine {
namespace {

struct OpenLog {
  std::string path;
  std::shared_ptr<Log> log;  // null: it is being opened
  size_t users;              // 0: it is being closed, or opened
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

std::string KindOf(const Config& config) {
  if (config.form == Form::kText) return "text file";
  return config.content == Content::kRecords ? "log of lines" : "log of entries";
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

// Whether the log's file, or what is at the path that it is being opened by, is the file `named`.
bool IsOf(const OpenLog& open, const io::FileInfo& named, io::FileSystem* files) {
  io::FileInfo info;
  if (!IsOpening(open)) {
    info = open.log->file_info();
  } else if (files->StatPath(open.path, &info) != 0) {
    return false;
  }
  return info.device == named.device && info.inode == named.inode;
}

// The log of the file that `path` names, or else the one that was opened as `path`: its file was
// moved or deleted, and the flusher is going to make it anew.
OpenLog* Find(Registry* registry, const std::string& path, io::FileSystem* files) {
  io::FileInfo named;
  if (files->StatPath(path, &named) == 0) {
    for (OpenLog& open : registry->logs) {
      if (IsOf(open, named, files)) return &open;
    }
  }
  for (OpenLog& open : registry->logs) {
    if (open.path == path) return &open;
  }
  return nullptr;
}

// Two kinds of content do not share buffers, nor two forms a file.
void CheckSameKind(const Config& open, const Config& wanted) {
  if (open.content == wanted.content && open.form == wanted.form) return;
  throw Error("ERR_SHARDLOG_CONFIG",
              wanted.path + " is open in this process as a " + KindOf(open) + ", not as a " +
                  KindOf(wanted),
              0, "", wanted.path);
}

// The log of the config's path with one more user, once it is neither being opened nor closed; null
// if there is none.
std::shared_ptr<Log> JoinOpen(Registry* registry, const Config& config, io::FileSystem* files,
                              std::unique_lock<std::mutex>* lock) {
  while (OpenLog* open = Find(registry, config.path, files)) {
    if (open->users > 0) {
      CheckSameKind(open->log->config(), config);
      open->users++;
      return open->log;
    }
    registry->changed.wait(*lock);
  }
  return nullptr;
}

// Opens a log without the registry's lock, which recovery and slow disks would keep from others,
// and from fork(), for long.
std::shared_ptr<Log> OpenUnlocked(Registry* registry, const Config& config, io::FileSystem* files,
                                  std::unique_lock<std::mutex>* lock) {
  const auto entry = registry->logs.insert(registry->logs.end(), {config.path, nullptr, 0});
  lock->unlock();
  std::shared_ptr<Log> log;
  try {
    log = Log::Open(config, files);
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
  Registry& registry = TheRegistry();
  std::unique_lock<std::mutex> lock(registry.mutex);
  for (;;) {
    std::shared_ptr<Log> log = JoinOpen(&registry, config, files, &lock);
    if (log != nullptr) return log;
    try {
      return OpenUnlocked(&registry, config, files, &lock);
    } catch (const Error& error) {
      // Locked by ourselves: a file that did not exist yet was being opened under another name.
      const bool locked = error.code() == "ERR_SHARDLOG_LOCKED";
      if (!locked || Find(&registry, config.path, files) == nullptr) throw;
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
