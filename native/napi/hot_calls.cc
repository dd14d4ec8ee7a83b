#include "napi/hot_calls.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <new>

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
  return Boolean(env, LogSlow(env, handle, text));
}

// An optional index as TypedArray.prototype.subarray takes it: negative from the end, clamped.
size_t IndexFrom(napi_env env, napi_value value, size_t length, size_t otherwise) {
  double index = 0;
  if (napi_get_value_double(env, value, &index) != napi_ok) return otherwise;
  if (std::isnan(index)) return 0;
  if (index < 0) index = std::max(0.0, static_cast<double>(length) + std::trunc(index));
  return static_cast<size_t>(std::min(index, static_cast<double>(length)));
}

napi_value LogBytes(napi_env env, napi_callback_info info) {
  size_t argc = 3;
  napi_value argv[3];
  void* data;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, &data) != napi_ok) return nullptr;
  auto* handle = static_cast<Handle*>(data);
  void* bytes = nullptr;
  size_t length = 0;
  if (napi_get_buffer_info(env, argv[0], &bytes, &length) != napi_ok) {
    return Boolean(env, CountInvalid(handle));
  }
  const size_t start = argc > 1 ? IndexFrom(env, argv[1], length, 0) : 0;
  const size_t end = argc > 2 ? IndexFrom(env, argv[2], length, length) : length;
  const size_t size = end > start ? end - start : 0;
  return Boolean(env, handle->producer().Append(static_cast<const uint8_t*>(bytes) + start, size));
}

// publish(): what it has to say it says through the lease; a value would cost more than all of it.
napi_value Publish(napi_env env, napi_callback_info info) {
  void* data;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) == napi_ok) {
    static_cast<Handle*>(data)->producer().Publish();
  }
  return nullptr;
}

// putText(text): as publish. An encoder that stops because a character does not fit leaves it out,
// and behind the text it puts a NUL.
napi_value PutText(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value text;
  void* data;
  if (napi_get_cb_info(env, info, &argc, &text, nullptr, &data) != napi_ok) return nullptr;
  engine::Producer& producer = static_cast<Handle*>(data)->producer();
  const engine::Producer::Place place = producer.WritePlace();
  size_t size = 0;
  if (place.at != nullptr) {
    napi_get_value_string_utf8(env, text, reinterpret_cast<char*>(place.at), place.bytes, &size);
  }
  producer.Reply(size);
  return nullptr;
}

// renew(bytes); not hot, but the record it is called for waits.
napi_value Renew(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value size;
  void* data;
  uint32_t bytes = 0;
  if (napi_get_cb_info(env, info, &argc, &size, nullptr, &data) != napi_ok) return nullptr;
  engine::Producer::Renewal renewal = engine::Producer::Renewal::kTakeCall;
  if (napi_get_value_uint32(env, size, &bytes) == napi_ok) {
    renewal = static_cast<Handle*>(data)->producer().Renew(bytes);
  }
  napi_value result = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(renewal), &result);
  return result;
}

napi_value CreateFunction(napi_env env, const char* name, napi_callback call, Handle* handle) {
  napi_value function = nullptr;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, call, handle, &function);
  return function;
}

}  // namespace

napi_value CreateLog(napi_env env, Handle* handle) {
  return CreateFunction(env, "log", Log, handle);
}

napi_value CreateLogBytes(napi_env env, Handle* handle) {
  return CreateFunction(env, "logBytes", LogBytes, handle);
}

napi_value CreatePublish(napi_env env, Handle* handle) {
  return CreateFunction(env, "publish", Publish, handle);
}

napi_value CreatePutText(napi_env env, Handle* handle) {
  return CreateFunction(env, "putText", PutText, handle);
}

napi_value CreateRenew(napi_env env, Handle* handle) {
  return CreateFunction(env, "renew", Renew, handle);
}

}  // namespace shardlog::napi
