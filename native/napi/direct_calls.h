// The functions by which the record encoder (lib/record/record-encoder.ts) and callers of logBytes
// reach a producer, straight on the C interface of Node-API. `Owner` is what the functions have as
// callback data: it has a producer().
#pragma once

#include <node_api.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "engine/js_control.h"

namespace shardlog::napi {

// An optional index as TypedArray.prototype.subarray takes it: negative from the end, clamped.
inline size_t IndexFrom(napi_env env, napi_value value, size_t length, size_t otherwise) {
  double index = 0;
  if (napi_get_value_double(env, value, &index) != napi_ok) return otherwise;
  if (std::isnan(index)) return 0;
  if (index < 0) index = std::max(0.0, static_cast<double>(length) + std::trunc(index));
  return static_cast<size_t>(std::min(index, static_cast<double>(length)));
}

// Appends bytes as an entry, by the `count` arguments (bytes, start?, end?). Whether it was
// accepted.
template <typename Producer>
bool AppendBytes(napi_env env, Producer& producer, const napi_value* arguments, size_t count) {
  void* bytes = nullptr;
  size_t length = 0;
  if (napi_get_buffer_info(env, arguments[0], &bytes, &length) != napi_ok) {
    producer.CountInvalid();
    return false;
  }
  const size_t start = count > 1 ? IndexFrom(env, arguments[1], length, 0) : 0;
  const size_t end = count > 2 ? IndexFrom(env, arguments[2], length, length) : length;
  const size_t size = end > start ? end - start : 0;
  return producer.Append(static_cast<const uint8_t*>(bytes) + start, size);
}

// logBytes(bytes, start?, end?): whether the entry was accepted.
template <typename Owner>
napi_value LogBytes(napi_env env, napi_callback_info info) {
  size_t argc = 3;
  napi_value argv[3];
  void* data;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, &data) != napi_ok) return nullptr;
  auto& producer = static_cast<Owner*>(data)->producer();
  napi_value result = nullptr;
  napi_get_boolean(env, AppendBytes(env, producer, argv, argc), &result);
  return result;  // null, which JavaScript sees as undefined, while the environment is being torn
                  // down
}

// The texts that a call is given for the entry which JavaScript is writing: each costs a third of
// what a call of its own would.
struct Texts {
  size_t count = engine::JsControl::kMostTexts;
  napi_value values[engine::JsControl::kMostTexts];

  // Takes them from a call. Its data; nullptr while the environment is being torn down.
  void* Take(napi_env env, napi_callback_info info) {
    void* data = nullptr;
    const bool taken = napi_get_cb_info(env, info, &count, values, nullptr, &data) == napi_ok;
    return taken ? data : nullptr;
  }

  // Whether all are written: they are short, have a place, and are ASCII. As UTF-16: an encoder of
  // UTF-8 takes longer, and one of Latin-1 does not tell what it could not say.
  template <typename Producer>
  bool WriteTo(napi_env env, Producer& producer) const {
    constexpr size_t kMostUnits = UINT8_MAX;
    char16_t units[kMostUnits + 1];
    for (size_t i = 0; i < std::min(count, engine::JsControl::kMostTexts); i++) {
      size_t length = 0;
      const napi_status status =
          napi_get_value_string_utf16(env, values[i], units, kMostUnits + 1, &length);
      if (status != napi_ok || !producer.PutText(i, units, length)) return false;
    }
    return true;
  }
};

// publish(): what it has to say it says through the lease; a value would cost more than all of it.
template <typename Owner>
napi_value Publish(napi_env env, napi_callback_info info) {
  void* data;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) == napi_ok) {
    static_cast<Owner*>(data)->producer().Publish();
  }
  return nullptr;
}

// publishTexts(...texts): as publish. An entry whose texts cannot be written is not accepted.
template <typename Owner>
napi_value PublishTexts(napi_env env, napi_callback_info info) {
  Texts texts;
  if (auto* owner = static_cast<Owner*>(texts.Take(env, info))) {
    if (texts.WriteTo(env, owner->producer())) owner->producer().Publish();
  }
  return nullptr;
}

// putTexts(...texts): whether they are written it says in kEnd, by another number than 0.
template <typename Owner>
napi_value PutTexts(napi_env env, napi_callback_info info) {
  Texts texts;
  if (auto* owner = static_cast<Owner*>(texts.Take(env, info))) {
    owner->producer().Reply(texts.WriteTo(env, owner->producer()) ? 1 : 0);
  }
  return nullptr;
}

// putText(text): as publish. An encoder that stops because a character does not fit leaves it out,
// and behind the text it puts a NUL.
template <typename Owner>
napi_value PutText(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value text;
  void* data;
  if (napi_get_cb_info(env, info, &argc, &text, nullptr, &data) != napi_ok) return nullptr;
  auto& producer = static_cast<Owner*>(data)->producer();
  const auto place = producer.WritePlace();
  size_t size = 0;
  if (place.at != nullptr) {
    napi_get_value_string_utf8(env, text, reinterpret_cast<char*>(place.at), place.bytes, &size);
  }
  producer.Reply(size);
  return nullptr;
}

// renew(bytes); not hot, but the record it is called for waits.
template <typename Owner>
napi_value Renew(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value size;
  void* data;
  uint32_t bytes = 0;
  if (napi_get_cb_info(env, info, &argc, &size, nullptr, &data) != napi_ok) return nullptr;
  engine::Renewal renewal = engine::Renewal::kTakeCall;
  if (napi_get_value_uint32(env, size, &bytes) == napi_ok) {
    renewal = static_cast<Owner*>(data)->producer().Renew(bytes);
  }
  napi_value result = nullptr;
  napi_create_uint32(env, static_cast<uint32_t>(renewal), &result);
  return result;
}

}  // namespace shardlog::napi
