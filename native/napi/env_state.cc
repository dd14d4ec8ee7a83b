#include "napi/env_state.h"

#include <algorithm>
#include <thread>

#include "napi/external_buffer.h"
#include "napi/handle.h"
#include "napi/hot_calls.h"

namespace shardlog::napi {
namespace {

// Threads of one log that may have the direct route. It is some 10 ns a call faster than the call
// route, but V8 compiles it anew in each thread, at half a megabyte: for more threads than this the
// memory is worth more.
size_t MostDirectThreads() {
  constexpr size_t kAlways = 48;
  return std::max(kAlways, size_t{2} * std::thread::hardware_concurrency());
}

// A word of the process's, which JavaScript only reads.
uint32_t* ChangesOf(const engine::Arena& arena) {
  return reinterpret_cast<uint32_t*>(const_cast<std::atomic<uint32_t>*>(&arena.changes()));
}

}  // namespace

// A thread writes to a few of the shards, and V8 takes what each buffer spans for memory that the
// thread itself has allocated: each is made when it is asked for.
Napi::Value DirectBuffer(Napi::Env env, Handle& handle, uint32_t index) {
  const std::shared_ptr<engine::Draft>& draft = handle.producer().draft();
  if (draft != nullptr) {
    return Napi::Value(env, ExternalBuffer(env, draft->data(), draft->bytes(), draft));
  }
  const std::shared_ptr<engine::Log> log = handle.log();
  if (log == nullptr) return env.Undefined();
  const std::shared_ptr<engine::Arena>& arena = log->shared_arena();
  const engine::Geometry& g = arena->geometry();
  if (index >= 2 * g.num_shards) return env.Undefined();
  uint8_t* shard = arena->shard_data(index / g.num_shards, index % g.num_shards);
  return Napi::Value(env, ExternalBuffer(env, shard, g.shard_bytes(), arena));
}

void EnvState::Install(Napi::Env env) {
  auto* state = new EnvState;
  env.SetInstanceData<EnvState>(state);
  napi_add_env_cleanup_hook(env, CleanUp, state);
}

EnvState& EnvState::Of(Napi::Env env) { return *env.GetInstanceData<EnvState>(); }

// The environment ends: the thread is no longer in the middle of a log call, whatever ended it.
void EnvState::CleanUp(void* data) {
  auto* state = static_cast<EnvState*>(data);
  while (!state->open_.empty()) {
    const std::shared_ptr<Handle> handle = state->open_.back();
    state->open_.pop_back();
    handle->Detach();
    handle->Leave();
    handle->ForgetListener();
  }
}

std::shared_ptr<engine::Producer> EnvState::Acquire(const std::shared_ptr<engine::Log>& log) {
  Shared& shared = producers_[log.get()];
  if (shared.handles++ == 0) shared.producer = log->Attach();
  return shared.producer;
}

bool EnvState::Release(const std::shared_ptr<engine::Log>& log) {
  const auto found = producers_.find(log.get());
  if (--found->second.handles > 0) return false;
  log->Detach(found->second.producer);
  producers_.erase(found);
  dropping_.erase(log.get());
  return true;
}

std::shared_ptr<engine::Producer> EnvState::Dropping(const std::shared_ptr<engine::Log>& log) {
  std::shared_ptr<engine::Producer> producer = dropping_[log.get()].lock();
  if (producer != nullptr) return producer;
  producer = log->AttachDropping();
  dropping_[log.get()] = producer;
  return producer;
}

uint32_t EnvState::TakeLane(const std::shared_ptr<engine::Producer>& producer) {
  Choose(kNoLane);
  if (free_lanes_.empty()) {
    lanes_.push_back(producer);
    return static_cast<uint32_t>(lanes_.size() - 1);
  }
  const uint32_t lane = free_lanes_.back();
  free_lanes_.pop_back();
  lanes_[lane] = producer;
  return lane;
}

void EnvState::GiveLaneBack(uint32_t lane) {
  Choose(kNoLane);
  lanes_[lane] = nobody_;
  free_lanes_.push_back(lane);
}

void EnvState::Choose(uint32_t lane) {
  recent_ = lane < lanes_.size() ? lanes_[lane].get() : nobody_.get();
  recent_lane_ = lane;
}

Napi::Object EnvState::LaneCalls(Napi::Env env) {
  Napi::ArrayBuffer buffer = Napi::ArrayBuffer::New(env, sizeof(int32_t));
  lane_word_ = static_cast<int32_t*>(buffer.Data());
  Napi::Object calls = Napi::Object::New(env);
  calls.Set("lane", Napi::Int32Array::New(env, 1, buffer, 0));
  AddLaneCalls(env, calls, this);
  // The word stays where it is as long as its buffer lives.
  lane_calls_ = Napi::Persistent(calls);
  lane_calls_.SuppressDestruct();
  return calls;
}

void EnvState::Remove(const Handle* handle) {
  std::erase_if(open_,
                [handle](const std::shared_ptr<Handle>& open) { return open.get() == handle; });
}

const std::shared_ptr<Settler>& EnvState::settler(Napi::Env env) {
  if (settler_ == nullptr) settler_ = Settler::Make(env);
  return settler_;
}

Napi::Value EnvState::DirectRoute(Napi::Env env, const std::shared_ptr<engine::Log>& log) {
  const auto found = producers_.find(log.get());
  if (found == producers_.end()) return env.Null();
  Shared& shared = found->second;
  if (!shared.producer->direct_route_allowed()) return env.Null();
  if (!shared.direct.IsEmpty()) return shared.direct.Value();
  if (log->producers() > MostDirectThreads()) return env.Null();
  const std::shared_ptr<engine::Arena>& arena = log->shared_arena();
  engine::Producer& producer = *shared.producer;
  Napi::Object route = Napi::Object::New(env);
  const bool made =
      SetArray<Napi::Int32Array>(route, "lease", producer.js_words(),
                                 engine::JsControl::kWords * sizeof(int32_t), shared.producer) &&
      SetArray<Napi::Int32Array>(route, "words", arena->control(), arena->control_bytes(), arena) &&
      SetArray<Napi::Int32Array>(route, "changes", ChangesOf(*arena), sizeof(int32_t), arena);
  if (!made) return env.Null();
  shared.direct = Napi::Persistent(route);
  return route;
}

}  // namespace shardlog::napi
