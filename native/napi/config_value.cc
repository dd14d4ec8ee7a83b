#include "napi/config_value.h"

#include <cmath>
#include <string>

namespace shardlog::napi {
namespace {

std::string Text(const Napi::Object& value, const char* name) {
  return value.Get(name).As<Napi::String>().Utf8Value();
}

double Number(const Napi::Object& value, const char* name) {
  const Napi::Value field = value.Get(name);
  if (!field.IsNumber()) {
    throw Napi::TypeError::New(value.Env(), std::string("internal: ") + name + " is not a number");
  }
  return field.As<Napi::Number>().DoubleValue();
}

uint64_t MillisecondsAsNs(const Napi::Object& value, const char* name) {
  const double ms = Number(value, name);
  // The largest duration that still adds up with a clock reading.
  if (!(ms < 1e12)) return UINT64_MAX;
  return static_cast<uint64_t>(std::llround(ms * 1e6));
}

engine::CrashSafe CrashSafeFrom(const Napi::Value& value) {
  if (!value.IsString()) return engine::CrashSafe::kOff;
  return value.As<Napi::String>().Utf8Value() == "shm" ? engine::CrashSafe::kShm
                                                       : engine::CrashSafe::kFile;
}

}  // namespace

io::DirectIo DirectIoFrom(const Napi::Value& value) {
  const std::string mode = value.As<Napi::String>().Utf8Value();
  if (mode == "required") return io::DirectIo::kRequired;
  return mode == "off" ? io::DirectIo::kOff : io::DirectIo::kAuto;
}

engine::Config ConfigFrom(const Napi::Object& value) {
  engine::Config config;
  config.path = Text(value, "logFilePath");
  const Napi::Value descriptor = value.Get("descriptor");
  if (descriptor.IsNumber()) config.descriptor = descriptor.As<Napi::Number>().Int32Value();
  const Napi::Value recover_to = value.Get("recoverTo");
  if (recover_to.IsString()) config.recover_to = recover_to.As<Napi::String>().Utf8Value();
  const Napi::Value arena_dir = value.Get("arenaDir");
  if (arena_dir.IsString()) config.arena_dir = arena_dir.As<Napi::String>().Utf8Value();
  config.buffer_bytes = static_cast<uint64_t>(Number(value, "bufferSize"));
  config.num_shards = static_cast<uint32_t>(Number(value, "numShards"));
  config.flush_interval_ns = MillisecondsAsNs(value, "flushInterval");
  config.flush_timeout_ns = MillisecondsAsNs(value, "flushTimeout");
  config.block_timeout_ns = MillisecondsAsNs(value, "blockTimeout");
  if (value.Get("exitTimeout").IsNumber()) {
    config.exit_timeout_ns = MillisecondsAsNs(value, "exitTimeout");
  }
  config.use_mmap = value.Get("useMmap").ToBoolean();
  config.crash_safe = CrashSafeFrom(value.Get("crashSafe"));
  config.on_full =
      Text(value, "onFull") == "block" ? engine::OnFull::kBlock : engine::OnFull::kDrop;
  config.shard_selection = Text(value, "shardSelection") == "round-robin"
                               ? engine::ShardSelection::kRoundRobin
                               : engine::ShardSelection::kAffinity;
  if (Text(value, "content") == "records") config.content = engine::Content::kRecords;
  if (Text(value, "format") == "ndjson") config.format = engine::Format::kNdjson;
  config.io.direct = DirectIoFrom(value.Get("directIO"));
  config.io.dsync = value.Get("dsync").ToBoolean();
  return config;
}

}  // namespace shardlog::napi
