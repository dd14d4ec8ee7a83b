// What other threads have to say to one environment: promises that are settled, without taking one
// of libuv's pool while they wait, and whatever else is to be called there.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <mutex>

#include "engine/io_status.h"

namespace shardlog::napi {

// What async hooks are told of a function that keeps no process alive: tools that look for what
// does, as Jest's --detectOpenHandles, ask it so.
Napi::Object UnreferencedResource(Napi::Env env);

class Settler : public std::enable_shared_from_this<Settler> {
 public:
  using Done = std::function<void(const engine::IoStatus&)>;
  // What a promise is rejected with.
  using Refusal = std::function<Napi::Error(Napi::Env, const engine::IoStatus&)>;

  // On the environment's thread.
  static std::shared_ptr<Settler> Make(Napi::Env env);

  // A promise, and what settles it: start(done) is called at once, and done(status) once, by any
  // thread. On the environment's thread. The event loop stays alive until then.
  Napi::Promise Promise(Napi::Env env, Refusal refusal, const std::function<void(Done)>& start);

  // Any thread: has `call` run on the environment's event loop, without keeping that alive. Nothing
  // comes of it once the environment ends.
  using Call = std::function<void(Napi::Env)>;
  void Post(Call call);

 private:
  using Context = std::shared_ptr<Settler>;

  static void Deliver(Napi::Env env, Napi::Function, Context* context, Call* call);
  using Queue = Napi::TypedThreadSafeFunction<Context, Call, Deliver>;

  size_t pending_ = 0;  // the environment's thread's own

  std::mutex mutex_;  // guards what follows
  Queue queue_;
  bool is_over_ = false;  // the environment has ended: there is nobody to tell
};

}  // namespace shardlog::napi
