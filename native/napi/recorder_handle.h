// One thread's open recorder: lib/engine/native-binding.ts RecorderHandle.
#pragma once

#include <napi.h>

#include <memory>

#include "engine/producer.h"
#include "recorder/native_producer.h"
#include "recorder/ring_producer.h"

namespace shardlog::napi {

class EnvState;

// Shared by what JavaScript has and by the environment until it is closed. For the environment's
// thread only.
class RecorderHandle : public std::enable_shared_from_this<RecorderHandle> {
 public:
  // Joins the ring. Throws engine::Error.
  RecorderHandle(napi_env env, const recorder::RingOptions& options, uint32_t thread,
                 const recorder::Kept& kept);
  ~RecorderHandle();
  RecorderHandle(const RecorderHandle&) = delete;
  RecorderHandle& operator=(const RecorderHandle&) = delete;

  // Adds openRecorder and the functions that take a keeper.
  static void Export(Napi::Object* exports);

  recorder::RingProducer& producer() { return *producer_; }
  // The log whose lane JavaScript has chosen.
  engine::Producer& log();
  const std::shared_ptr<recorder::Ring>& ring() const { return ring_; }

  // As Publish of log(); and the ring gets a copy of the record.
  void PublishBeside();

  Napi::Object ToObject(Napi::Env env);
  // Later events are dropped. `keep`: the file stays when nobody has it open any more.
  void Close(bool keep);
  // The file is no longer this thread's, as after Close; events go on into the memory of the ring.
  void Leave(bool keep);

 private:
  static void EnvEnds(void* handle);
  Napi::Value DirectRoute(Napi::Env env);
  Napi::Value ForAddons(Napi::Env env) const;

  const napi_env env_;
  EnvState& env_state_;
  const std::shared_ptr<recorder::Ring> ring_;
  const std::shared_ptr<recorder::RingProducer> producer_;
  const std::shared_ptr<recorder::NativeRecorder> for_addons_;
  bool closed_ = false;
  bool left_ = false;
};

}  // namespace shardlog::napi
