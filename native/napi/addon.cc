// The addon's exports: lib/engine/load-native.ts NativeBinding.
#include <napi.h>

#include <exception>
#include <memory>
#include <string>

#include "format/crc32c.h"
#include "log/log.h"
#include "napi/config_value.h"
#include "napi/control_words.h"
#include "napi/env_state.h"
#include "napi/errors.h"
#include "napi/handle.h"
#include "napi/recorder_handle.h"

namespace shardlog::napi {
namespace {

Napi::Value Open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  EnvState& state = EnvState::Of(env);
  try {
    const auto handle = std::make_shared<Handle>(&state, ConfigFrom(info[0].As<Napi::Object>()));
    state.Add(handle);
    if (info[1].IsFunction()) handle->Listen(env, info[1].As<Napi::Function>());
    return handle->ToObject(env);
  } catch (const engine::Error& error) {
    throw MakeError(env, error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    // No memory, or no thread to be had.
    throw MakeError(env, "ERR_SHARDLOG_IO", std::string("cannot open the log: ") + error.what(), 0,
                    "", "");
  }
}

Napi::Value RecoveryValue(Napi::Env env, const std::vector<engine::RecoveryReport>& reports) {
  Napi::Array value = Napi::Array::New(env, reports.size());
  for (uint32_t i = 0; i < reports.size(); i++) {
    const engine::RecoveryReport& report = reports[i];
    Napi::Object item = Napi::Object::New(env);
    item.Set("arenaPath", report.arena_path);
    item.Set("ownerPid", report.owner_pid);
    item.Set("entries", static_cast<double>(report.entries));
    item.Set("blocks", static_cast<double>(report.blocks));
    item.Set("bytes", static_cast<double>(report.bytes));
    item.Set("damagedSegments", static_cast<double>(report.damaged));
    const bool aside = !report.set_aside.empty();
    item.Set("setAside", aside ? Napi::String::New(env, report.set_aside) : env.Null());
    item.Set("reason", aside ? Napi::String::New(env, report.reason) : env.Null());
    value.Set(i, item);
  }
  return value;
}

Napi::Value Recover(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = info[1].As<Napi::Object>();
  io::OpenOptions open_options;
  open_options.direct = DirectIoFrom(options.Get("directIO"));
  try {
    const Napi::Value arena_dir = options.Get("arenaDir");
    return RecoveryValue(
        env, engine::RecoverLog(
                 info[0].As<Napi::String>().Utf8Value(), open_options,
                 options.Get("force").ToBoolean(), &io::PosixFileSystem(),
                 arena_dir.IsString() ? arena_dir.As<Napi::String>().Utf8Value() : std::string()));
  } catch (const engine::Error& error) {
    throw MakeError(env, error);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& error) {
    throw MakeError(env, "ERR_SHARDLOG_RECOVERY", std::string("cannot recover: ") + error.what(), 0,
                    "", "");
  }
}

// crc32c(bytes, seed, start, end); the readers give ranges that lie in `bytes`.
Napi::Value Checksum(const Napi::CallbackInfo& info) {
  const auto bytes = info[0].As<Napi::Uint8Array>();
  const auto seed = info[1].As<Napi::Number>().Uint32Value();
  const int64_t start = info[2].As<Napi::Number>().Int64Value();
  const int64_t end = info[3].As<Napi::Number>().Int64Value();
  if (start < 0 || end < start || static_cast<uint64_t>(end) > bytes.ByteLength()) {
    throw Napi::RangeError::New(info.Env(), "range outside the bytes");
  }
  const uint32_t crc = format::Crc32c(bytes.Data() + start, static_cast<size_t>(end - start), seed);
  return Napi::Number::New(info.Env(), crc);
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  EnvState::Install(env);
  exports.Set("open", Napi::Function::New(env, Open, "open"));
  exports.Set("recover", Napi::Function::New(env, Recover, "recover"));
  Handle::Export(&exports);
  RecorderHandle::Export(&exports);
  exports.Set("lanes", EnvState::Of(env).LaneCalls(env));
  exports.Set("controlWords", Napi::Function::New(env, ControlWords, "controlWords"));
  exports.Set("crc32c", Napi::Function::New(env, Checksum, "crc32c"));
  return exports;
}

}  // namespace
}  // namespace shardlog::napi

static Napi::Object InitAddon(Napi::Env env, Napi::Object exports) {
  return shardlog::napi::Init(env, exports);
}

NODE_API_MODULE(NODE_GYP_MODULE_NAME, InitAddon)
