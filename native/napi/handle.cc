#include "napi/handle.h"

#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "log/log_registry.h"
#include "napi/direct_calls.h"
#include "napi/env_state.h"
#include "napi/errors.h"
#include "napi/hot_calls.h"
#include "napi/settler.h"
#include "platform/background_thread.h"

namespace shardlog::napi {
namespace {

using engine::IoStatus;

Napi::Error WriteError(Napi::Env env, const engine::LogNumbers& log, const IoStatus& status) {
  engine::FlushError problem = log.LastProblem();
  if (problem.code.empty()) {
    problem = {"ERR_SHARDLOG_WRITE", std::string(status.call) + " failed", log.path(), status.error,
               status.call};
  }
  return MakeError(env, problem);
}

// The promise of flush() or close(), which start(done) does.
Napi::Value Begin(Napi::Env env, const std::shared_ptr<Handle>& handle,
                  const std::function<void(Settler::Done)>& start) {
  const auto refusal = [handle](Napi::Env of, const IoStatus& status) {
    return WriteError(of, *handle->numbers(), status);
  };
  return EnvState::Of(env).settler(env)->Promise(env, refusal, start);
}

Napi::Value BeginFlush(Napi::Env env, const std::shared_ptr<Handle>& handle) {
  return Begin(env, handle, [&handle](Settler::Done done) { handle->FlushThen(std::move(done)); });
}

// The flusher ends, which it cannot wait for itself.
Napi::Value BeginLeave(Napi::Env env, const std::shared_ptr<Handle>& handle) {
  const std::shared_ptr<Settler> queue = EnvState::Of(env).settler(env);
  return Begin(env, handle, [&handle, &queue](const Settler::Done& done) {
    const auto leave = [handle, done, queue] {
      const IoStatus status = handle->Leave();
      queue->Post([handle](Napi::Env) { handle->ForgetListener(); });
      done(status);
    };
    try {
      platform::StartBackgroundThread("shardlog-close", leave).detach();
    } catch (const std::system_error&) {
      leave();  // There is no thread to be had: here and now, then.
    }
  });
}

const char* CrashSafeName(engine::CrashSafe mode) {
  return mode == engine::CrashSafe::kShm ? "shm" : "file";
}

Napi::Value StatsValue(Napi::Env env, const engine::LogNumbers& log) {
  const engine::LogStats stats = log.Stats();
  const engine::CrashSafe crash_safe = log.crash_safe();
  Napi::Object value = Napi::Object::New(env);
  const auto number = [&](const char* name, uint64_t n) {
    value.Set(name, static_cast<double>(n));
  };
  number("totalLogs", stats.total_logs);
  number("droppedLogs", stats.dropped_logs);
  number("oversizedLogs", stats.oversized_logs);
  number("emptyLogs", stats.empty_logs);
  number("blockedLogs", stats.blocked_logs);
  number("bytesWritten", stats.bytes_written);
  number("payloadBytes", stats.payload_bytes);
  number("writtenLogs", stats.written_logs);
  number("flushes", stats.flushes);
  number("flushErrors", stats.flush_errors);
  number("setSwaps", stats.set_swaps);
  number("recoveredLogs", stats.recovered_logs);
  number("reopens", stats.reopens);
  number("producers", stats.producers);
  value.Set("engine", "native");
  if (crash_safe == engine::CrashSafe::kOff) {
    value.Set("crashSafe", false);
  } else {
    value.Set("crashSafe", CrashSafeName(crash_safe));
  }
  value.Set("arenaPath",
            stats.arena_path.empty() ? env.Null() : Napi::String::New(env, stats.arena_path));
  value.Set("directIO", stats.io.direct);
  value.Set("directIOReason",
            stats.io.direct ? env.Null() : Napi::String::New(env, stats.io.reason));
  number("ioAlignment", stats.io.alignment);
  value.Set("lastError", ProblemValue(env, stats.last_problem));
  return value;
}

// `bounds`: upper ends of buckets, in ns.
Napi::Value FlushMetricsValue(Napi::Env env, const engine::LogNumbers& log,
                              const Napi::Array& bounds) {
  const engine::Durations durations = log.Durations();
  const auto ms = [](double ns) { return ns / 1e6; };
  const auto percentile = [&](double share) {
    return ms(static_cast<double>(durations.PercentileNs(share)));
  };
  Napi::Object value = Napi::Object::New(env);
  value.Set("count", static_cast<double>(durations.count()));
  value.Set("avgFlushDurationMs", ms(durations.average_ns()));
  value.Set("maxFlushDurationMs", ms(static_cast<double>(durations.max_ns())));
  Napi::Array buckets = Napi::Array::New(env, bounds.Length());
  for (uint32_t i = 0; i < bounds.Length(); i++) {
    const int64_t bound = bounds.Get(i).As<Napi::Number>().Int64Value();
    buckets.Set(i, static_cast<double>(durations.CountUpTo(static_cast<uint64_t>(bound))));
  }
  value.Set("buckets", buckets);
  value.Set("p50", percentile(0.5));
  value.Set("p90", percentile(0.9));
  value.Set("p99", percentile(0.99));
  value.Set("p999", percentile(0.999));
  value.Set("lastError", ProblemValue(env, log.LastProblem()));
  return value;
}

Napi::Value ShardStatsValue(Napi::Env env, const engine::LogNumbers& log) {
  const std::vector<engine::ShardStats> shards = log.Shards();
  Napi::Array value = Napi::Array::New(env, shards.size());
  for (uint32_t i = 0; i < shards.size(); i++) {
    Napi::Object shard = Napi::Object::New(env);
    shard.Set("shardId", shards[i].shard);
    shard.Set("utilizationPct", shards[i].utilization_pct);
    shard.Set("writeCount", static_cast<double>(shards[i].write_count));
    value.Set(i, shard);
  }
  return value;
}

// What JavaScript has of a handle: the one thing that the garbage collector tells us of.
using Keeper = Napi::External<std::shared_ptr<Handle>>;

Keeper MakeKeeper(Napi::Env env, const std::shared_ptr<Handle>& handle) {
  auto kept = std::make_unique<std::shared_ptr<Handle>>(handle);
  const auto release = [](Napi::Env, std::shared_ptr<Handle>* owned) { delete owned; };
  const Keeper keeper = Keeper::New(env, kept.get(), release);
  static_cast<void>(kept.release());
  return keeper;
}

// A function of the addon whose first argument is a keeper: Body(env, handle, info).
template <typename Body>
void Export(Napi::Object* exports, const char* name, Body body) {
  const auto call = [body](const Napi::CallbackInfo& info) -> Napi::Value {
    if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "not the keeper of a handle");
    return body(info.Env(), *info[0].As<Keeper>().Data(), info);
  };
  exports->Set(name, Napi::Function::New(exports->Env(), call, name));
}

Napi::Value Settled(Napi::Env env, const Handle& handle, const IoStatus& status) {
  if (!status.ok()) throw WriteError(env, *handle.numbers(), status);
  return env.Undefined();
}

using Shared = std::shared_ptr<Handle>;
using Info = Napi::CallbackInfo;

void ExportWaits(Napi::Object* exports) {
  Export(exports, "flush",
         [](Napi::Env env, const Shared& h, const Info&) { return BeginFlush(env, h); });
  Export(exports, "flushSync",
         [](Napi::Env env, const Shared& h, const Info&) { return Settled(env, *h, h->Flush()); });
  Export(exports, "finish", [](Napi::Env env, const Shared& h, const Info&) -> Napi::Value {
    h->Finish();
    return env.Undefined();
  });
  Export(exports, "close", [](Napi::Env env, const Shared& h, const Info&) {
    h->Detach();
    return BeginLeave(env, h);
  });
  Export(exports, "closeSync", [](Napi::Env env, const Shared& h, const Info&) {
    h->Detach();
    const IoStatus status = h->Leave();
    h->ForgetListener();
    return Settled(env, *h, status);
  });
}

void ExportNumbers(Napi::Object* exports) {
  Export(exports, "stats", [](Napi::Env env, const Shared& h, const Info&) {
    return StatsValue(env, *h->numbers());
  });
  Export(exports, "flushMetrics", [](Napi::Env env, const Shared& h, const Info& info) {
    return FlushMetricsValue(env, *h->numbers(), info[1].As<Napi::Array>());
  });
  Export(exports, "shardStats", [](Napi::Env env, const Shared& h, const Info&) {
    return ShardStatsValue(env, *h->numbers());
  });
}

}  // namespace

void Handle::Export(Napi::Object* exports) {
  ExportWaits(exports);
  ExportNumbers(exports);
  napi::Export(exports, "drop", [](Napi::Env env, const Shared& h, const Info& info) {
    const napi_value bytes[] = {info[1], info[2], info[3]};
    const bool accepted = AppendBytes(env, h->producer(), bytes, info.Length() - 1);
    h->CountDrops();
    return Napi::Boolean::New(env, accepted);
  });
  napi::Export(exports, "forget", [](Napi::Env env, const Shared& h, const Info&) {
    return Napi::Boolean::New(env, h->Forget());
  });
  napi::Export(exports, "drops", [](Napi::Env env, const Shared& h, const Info&) {
    Napi::Object value = Napi::Object::New(env);
    value.Set("all", static_cast<double>(h->drops().all));
    value.Set("empty", static_cast<double>(h->drops().empty));
    return value;
  });
  napi::Export(exports, "route", [](Napi::Env env, const Shared& h, const Info&) {
    return EnvState::Of(env).DirectRoute(env, h->log());
  });
  napi::Export(exports, "buffer", [](Napi::Env env, const Shared& h, const Info& info) {
    return DirectBuffer(env, *h, info[1].As<Napi::Number>().Uint32Value());
  });
}

Handle::Handle(EnvState* state, const engine::Config& config)
    : state_(state),
      content_(config.content),
      log_(engine::Join(config)),
      producer_(state->Acquire(log_)),
      lane_(state->TakeLane(producer_)) {}

Handle::~Handle() {
  // Its environment has ended, and all references with it.
  if (listener_ != nullptr) listener_->SuppressDestruct();
}

std::shared_ptr<engine::Log> Handle::log() const {
  const std::lock_guard<std::mutex> lock(log_mutex_);
  return log_;
}

std::shared_ptr<const engine::LogNumbers> Handle::numbers() const {
  const std::lock_guard<std::mutex> lock(log_mutex_);
  if (end_ != nullptr) return end_;
  return log_;
}

IoStatus Handle::Flush() const {
  const std::shared_ptr<engine::Log> open = log();
  if (open != nullptr) return open->Flush();
  return end_ == nullptr ? IoStatus{} : end_->status();
}

void Handle::FlushThen(engine::Flusher::Settle settle) const {
  const std::shared_ptr<engine::Log> open = log();
  if (open != nullptr) {
    open->flusher().FlushThen(std::move(settle));
  } else {
    settle(end_ == nullptr ? IoStatus{} : end_->status());
  }
}

bool Handle::Detach() {
  if (detached_) return false;
  detached_ = true;
  // The environment's producer may go on for other handles. Otherwise it drops what comes.
  if (!state_->Release(log_)) producer_ = state_->Dropping(log_);
  state_->GiveLaneBack(lane_);
  state_->Remove(this);
  return true;
}

IoStatus Handle::Finish() {
  bool broken = false;
  const std::shared_ptr<engine::Log> open = log();
  if (open == nullptr) return {};
  const IoStatus status = open->flusher().FlushAtEnd(&broken);
  if (broken) open->Close();
  return status;
}

IoStatus Handle::Leave() {
  const std::lock_guard<std::mutex> lock(leave_mutex_);
  if (left_) return {};
  left_ = true;
  // Only we change it, under the lock that is held.
  const std::shared_ptr<engine::Log> left = log();
  const IoStatus status = engine::Leave(left);
  // What comes about at the end is told, too.
  left->flusher().errors().RemoveListener(this);
  std::shared_ptr<const engine::LogEnd> end = left->End();
  if (end == nullptr) return status;
  const std::lock_guard<std::mutex> swap(log_mutex_);
  end_ = std::move(end);
  log_ = nullptr;
  return status;
}

bool Handle::Forget() {
  std::shared_ptr<const engine::LogEnd> end;
  const std::lock_guard<std::mutex> lock(log_mutex_);
  if (end_ == nullptr || !end_->status().ok()) return false;
  end = std::move(end_);
  producer_ = state_->nobody();
  forgotten_ = true;
  return true;
}

void Handle::CountDrops() {
  if (!forgotten_) return;
  drops_.all += producer_->TakeDropped();
  drops_.empty += producer_->TakeEmpty();
}

void Handle::Listen(Napi::Env env, const Napi::Function& listener) {
  listener_ = std::make_shared<Napi::FunctionReference>(Napi::Persistent(listener));
  const auto deliver = [function = listener_,
                        queue = state_->settler(env)](const engine::FlushError& problem) {
    queue->Post([function, problem](Napi::Env of) { function->Call({ProblemValue(of, problem)}); });
  };
  log_->flusher().errors().AddListener(this, deliver);
  const engine::FlushError present = log_->flusher().errors().present();
  if (!present.code.empty()) deliver(present);
}

// The function has no finalizer of its own: that would keep it, and all that refers to it, from
// being collected as the young object that it is.
Napi::Object Handle::ToObject(Napi::Env env) {
  const Keeper keeper = MakeKeeper(env, shared_from_this());
  Napi::Object object = Napi::Object::New(env);
  object.Set("keeper", keeper);
  object.Set("lane", lane_);
  if (content_ == engine::Content::kEntries) {
    const Napi::Object log(env, CreateLog(env, this));
    log.DefineProperty(Napi::PropertyDescriptor::Value("keeper", keeper));
    object.Set("log", log);
  }
  return object;
}

}  // namespace shardlog::napi
