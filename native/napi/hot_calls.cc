#include "napi/hot_calls.h"

#include <memory>
#include <new>

#include "napi/direct_calls.h"
#include "napi/env_state.h"
#include "napi/handle.h"

namespace shardlog::napi {
namespace {

// A character's UTF-8 bytes at the most. An encoder that stops because the next character does not
// fit leaves fewer bytes than this.
constexpr size_t kMaxCharacter = 4;
constexpr size_t kSmallString = 4096;

napi_value Boolean(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;  // null, which JavaScript sees as undefined, while the environment is being torn
                  // down
}

// Drops whatever was thrown while an argument was converted: a log call does not throw.
void ForgetException(napi_env env) {
  bool pending = false;
  napi_value thrown;
  if (napi_is_exception_pending(env, &pending) == napi_ok && pending) {
    napi_get_and_clear_last_exception(env, &thrown);
  }
}

bool CountInvalid(Handle* handle) {
  handle->producer().CountInvalid();
  return false;
}

bool AppendEncoded(napi_env env, Handle* handle, napi_value text, size_t size) {
  char small[kSmallString];
  std::unique_ptr<char[]> large;
  char* buffer = small;
  if (size + 1 > sizeof small) {
    large.reset(new (std::nothrow) char[size + 1]);
    buffer = large.get();
  }
  if (buffer == nullptr ||
      napi_get_value_string_utf8(env, text, buffer, size + 1, &size) != napi_ok) {
    return CountInvalid(handle);
  }
  return handle->producer().Append(buffer, size);
}

// Strings that do not fit where the lease is, and arguments that are not strings. The producer is
// asked for last: a toString() may have closed the log.
bool LogSlow(napi_env env, Handle* handle, napi_value text) {
  size_t size = 0;
  napi_status status = napi_get_value_string_utf8(env, text, nullptr, 0, &size);
  if (status == napi_string_expected) {
    status = napi_coerce_to_string(env, text, &text);
    if (status == napi_ok) status = napi_get_value_string_utf8(env, text, nullptr, 0, &size);
  }
  if (status != napi_ok) {
    ForgetException(env);
    return CountInvalid(handle);
  }
  return AppendEncoded(env, handle, text, size);
}

napi_value Log(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value text;
  void* data;
  if (napi_get_cb_info(env, info, &argc, &text, nullptr, &data) != napi_ok) return nullptr;
  auto* handle = static_cast<Handle*>(data);
  engine::Producer* producer = &handle->producer();
  const engine::Producer::RoomFor room = producer->Room();
  if (room.bytes > kMaxCharacter) {
    size_t size = 0;
    // One byte more than the room: the encoder ends with a NUL, and behind the limit there is space
    // for it.
    const napi_status status = napi_get_value_string_utf8(
        env, text, reinterpret_cast<char*>(room.payload), size_t{room.bytes} + 1, &size);
    const bool whole = size + kMaxCharacter <= room.bytes;
    if (status == napi_ok && whole && size > 0 &&
        producer->Accept(room, static_cast<uint32_t>(size))) {
      return Boolean(env, true);
    }
  }
  producer->UndoRoundRobin();
  const bool accepted = LogSlow(env, handle, text);
  if (!accepted) handle->CountDrops();
  return Boolean(env, accepted);
}

napi_value CreateFunction(napi_env env, const char* name, napi_callback call, void* data) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, data, &function);
  return function;
}

}  // namespace

napi_value CreateLog(napi_env env, Handle* handle) {
  return CreateFunction(env, "log", Log, handle);
}

void AddLaneCalls(napi_env env, napi_value object, EnvState* state) {
  const auto add = [&](const char* name, napi_callback call) {
    napi_set_named_property(env, object, name, CreateFunction(env, name, call, state));
  };
  add("logBytes", LogBytes<EnvState>);
  add("putText", PutText<EnvState>);
  add("putTexts", PutTexts<EnvState>);
  add("publish", Publish<EnvState>);
  add("publishTexts", PublishTexts<EnvState>);
  add("renew", Renew<EnvState>);
}

}  // namespace shardlog::napi
