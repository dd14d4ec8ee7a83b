#include "engine/registry.h"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <vector>

namespace shardlog::engine {
namespace {

struct OpenLog {
  std::shared_ptr<Log> log;
  size_t users;
};

struct Registry {
  std::mutex mutex;
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

// The open log of the file that `path` names, or else the one that was opened as `path`: its file was moved or
// deleted, and the flusher is going to make it anew.
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
  const std::lock_guard<std::mutex> lock(registry.mutex);
  if (OpenLog* open = Find(&registry, config.path)) {
    open->users++;
    return open->log;
  }
  std::shared_ptr<Log> log = Log::Open(config);
  registry.logs.push_back({log, 1});
  return log;
}

IoStatus Leave(const std::shared_ptr<Log>& log) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  for (auto open = registry.logs.begin(); open != registry.logs.end(); ++open) {
    if (open->log != log) continue;
    if (--open->users > 0) return {};
    registry.logs.erase(open);
    return log->Close();
  }
  return {};
}

}  // namespace shardlog::engine
