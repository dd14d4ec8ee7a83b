// What the addon keeps for each environment (main thread or worker). Nothing here is shared between
// threads.
#pragma once

#include <napi.h>

#include <map>
#include <memory>
#include <vector>

#include "log/log.h"
#include "napi/settler.h"

namespace shardlog::napi {

class Handle;

class EnvState {
 public:
  // Made when the addon is loaded into the environment; closes what is open when the environment
  // ends.
  static EnvState& Of(Napi::Env env);
  static void Install(Napi::Env env);

  // The environment's one producer for a log: all its handles share it, so that its entries keep
  // their order.
  std::shared_ptr<engine::Producer> Acquire(const std::shared_ptr<engine::Log>& log);
  // Whether that was its last: it is detached now.
  bool Release(const std::shared_ptr<engine::Log>& log);
  // The one that all closed handles share whose logs have ended.
  const std::shared_ptr<engine::Producer>& nobody() const { return nobody_; }
  // The one that closed handles of a log share which goes on in this environment.
  std::shared_ptr<engine::Producer> Dropping(const std::shared_ptr<engine::Log>& log);

  void Add(const std::shared_ptr<Handle>& handle) { open_.push_back(handle); }
  void Remove(const Handle* handle);

  // A lane: the number by which JavaScript tells the shared calls which producer is meant. Handles
  // have one until they are closed. A lane that is given back drops what comes until it is taken
  // again.
  uint32_t TakeLane(const std::shared_ptr<engine::Producer>& producer);
  void GiveLaneBack(uint32_t lane);
  // That of the lane that stands in the word which JavaScript has. Most calls are of the lane of
  // the call before: the processor goes on with its producer while it looks.
  engine::Producer& producer() {
    const auto lane = static_cast<uint32_t>(*lane_word_);
    if (lane != recent_lane_) Choose(lane);
    return *recent_;
  }
  // The object of lib/engine/load-native.ts LaneCalls.
  Napi::Object LaneCalls(Napi::Env env);

  // What settles the environment's promises.
  const std::shared_ptr<Settler>& settler(Napi::Env env);

  // The arrays of lib/engine/lease.ts DirectWords for the log, made once; null where not
  // allowed.
  Napi::Value DirectRoute(Napi::Env env, const std::shared_ptr<engine::Log>& log);

 private:
  static constexpr uint32_t kNoLane = UINT32_MAX;

  struct Shared {
    std::shared_ptr<engine::Producer> producer;
    size_t handles = 0;
    Napi::ObjectReference direct;
  };

  static void CleanUp(void* state);

  void Choose(uint32_t lane);

  std::map<engine::Log*, Shared> producers_;
  // Of logs that other handles of this environment go on with: those keep their key from becoming
  // another log's, and the last of them takes it away.
  std::map<engine::Log*, std::weak_ptr<engine::Producer>> dropping_;
  std::vector<std::shared_ptr<Handle>> open_;
  int32_t* lane_word_ = nullptr;
  Napi::ObjectReference lane_calls_;
  const std::shared_ptr<engine::Producer> nobody_ = std::make_shared<engine::Producer>();
  std::vector<std::shared_ptr<engine::Producer>> lanes_;
  uint32_t recent_lane_ = kNoLane;
  engine::Producer* recent_ = nobody_.get();  // that of recent_lane_
  std::vector<uint32_t> free_lanes_;
  std::shared_ptr<Settler> settler_;  // made when it is needed
};

// The ArrayBuffer of lib/engine/load-native.ts `buffer`; undefined if there is none of the
// index.
Napi::Value DirectBuffer(Napi::Env env, Handle& handle, uint32_t index);

}  // namespace shardlog::napi
