#include "engine/registry.h"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace shardlog::engine {
namespace {

struct OpenLog {
  std::shared_ptr<Log> log;
  size_t users;  // 0: it is being closed
};

struct Registry {
  std::mutex mutex;
  std::condition_variable closed;  // a log was
  std::vector<OpenLog> logs;
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

void CloseAll() {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  for (OpenLog& open : registry.logs) open.log->Close();
}

// The lock is held over fork(), so that the child's copy of the list is whole.
void BeforeFork() { TheRegistry().mutex.lock(); }
void AfterForkInParent() { TheRegistry().mutex.unlock(); }
void AfterForkInChild() {
  Registry& registry = TheRegistry();
  for (OpenLog& open : registry.logs) {
    open.log->AbandonAfterFork();
    // Its flusher did not come along, so it cannot be closed or destroyed either.
    new std::shared_ptr<Log>(std::move(open.log));
  }
  registry.logs.clear();
  registry.mutex.unlock();
}

// The open log of the file that `path` names, or else the one that was opened as `path`: its file
// was moved or deleted, and the flusher is going to make it anew.
OpenLog* Find(Registry* registry, const std::string& path) {
  io::FileInfo named;
  if (io::PosixFileSystem().StatPath(path, &named) == 0) {
    for (OpenLog& open : registry->logs) {
      const io::FileInfo info = open.log->file_info();
      if (info.device == named.device && info.inode == named.inode) return &open;
    }
  }
  for (OpenLog& open : registry->logs) {
    if (open.log->config().path == path) return &open;
  }
  return nullptr;
}

}  // namespace

std::shared_ptr<Log> Join(const Config& config) {
  Registry& registry = TheRegistry();
  std::unique_lock<std::mutex> lock(registry.mutex);
  while (OpenLog* open = Find(&registry, config.path)) {
    if (open->users > 0) {
      open->users++;
      return open->log;
    }
    registry.closed.wait(lock);
  }
  std::shared_ptr<Log> log = Log::Open(config);
  registry.logs.push_back({log, 1});
  return log;
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
  registry.closed.notify_all();
  return status;
}

}  // namespace shardlog::engine
