// One thread's open log: what a JavaScript Logger with the native engine stands on.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>
#include <mutex>

#include "log/log.h"

namespace shardlog::napi {

class EnvState;

// Shared by what JavaScript has, whose functions may be taken from their object and outlive it, by
// async work under way, and by the environment until it is closed. Except where noted, for the
// environment's thread only.
class Handle : public std::enable_shared_from_this<Handle> {
 public:
  // Joins the log. Throws engine::Error.
  Handle(EnvState* state, const engine::Config& config);
  ~Handle();

  // Adds the functions of lib/engine/load-native.ts NativeBinding that take a keeper.
  static void Export(Napi::Object* exports);

  // The object of lib/engine/load-native.ts, EntryHandle or RecordHandle.
  Napi::Object ToObject(Napi::Env env);

  // Delivers errors to `listener` on the environment's event loop, without keeping the loop
  // alive.
  void Listen(Napi::Env env, const Napi::Function& listener);

  engine::Producer& producer() { return *producer_; }
  // Any thread: null once the handle is closed and the log has ended.
  std::shared_ptr<engine::Log> log() const;
  // Any thread: what the log says of itself, also when it has ended.
  std::shared_ptr<const engine::LogNumbers> numbers() const;

  // On the environment's thread: as Flusher::Flush and FlushThen; of a log that has ended, at once.
  engine::IoStatus Flush() const;
  void FlushThen(engine::Flusher::Settle settle) const;

  // On the environment's thread, at the process's end: has everything written, also what others
  // have logged, or given up and counted.
  engine::IoStatus Finish();

  // First half of closing, on the environment's thread: later entries are dropped. False if done
  // before.
  bool Detach();
  // Second half, on any thread: leaves the log, which writes everything if we are the last. Later
  // calls wait for the first and return ok.
  engine::IoStatus Leave();

  // On the environment's thread, when that is done.
  void ForgetListener() { listener_ = nullptr; }

  // On the environment's thread, of a closed handle: gives up what the statistics were read from.
  // False, and nothing is done, if the log goes on, or its end was not a good one.
  bool Forget();
  // What was dropped since.
  struct Drops {
    uint64_t all = 0;
    uint64_t empty = 0;
  };
  const Drops& drops() const { return drops_; }
  // After a call of producer(), which all handles share that have forgotten.
  void CountDrops();

 private:
  EnvState* const state_;
  const engine::Content content_;
  mutable std::mutex log_mutex_;               // guards log_ and end_
  std::shared_ptr<engine::Log> log_;           // null: it has ended
  std::shared_ptr<const engine::LogEnd> end_;  // what is left of it then
  std::shared_ptr<engine::Producer> producer_;
  const uint32_t lane_;
  std::shared_ptr<Napi::FunctionReference> listener_;  // null: nobody listens
  bool detached_ = false;
  bool forgotten_ = false;
  Drops drops_;
  std::mutex leave_mutex_;  // held while the log is left, which may take long; guards left_
  bool left_ = false;
};

}  // namespace shardlog::napi
