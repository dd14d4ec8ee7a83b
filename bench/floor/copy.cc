#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>

#include "floor.h"

namespace floor_addon {
namespace {

constexpr size_t kFixedBytes = 64 * 1024;
// As much as a default logger's two buffer sets, so that a streaming copy meets the same caches and
// pages.
constexpr size_t kStreamBytes = 64 * 1024 * 1024;

// Worker threads load the addon too: memory of their own each, or they would share cache lines.
thread_local char fixed_target[kFixedBytes];
thread_local std::unique_ptr<char[]> stream_target;
thread_local size_t stream_offset = 0;

napi_value FirstArgument(napi_env env, napi_callback_info info) {
  size_t count = 1;
  napi_value argument = nullptr;
  napi_get_cb_info(env, info, &count, &argument, nullptr, nullptr);
  return argument;
}

// Where the next streamed entry goes; wraps early enough that kFixedBytes always fit.
char* NextStreamTarget() {
  if (!stream_target) stream_target = std::make_unique<char[]>(kStreamBytes);
  if (stream_offset + kFixedBytes > kStreamBytes) stream_offset = 0;
  return stream_target.get() + stream_offset;
}

size_t CopyUtf8To(napi_env env, napi_callback_info info, char* target) {
  size_t bytes = 0;
  napi_get_value_string_utf8(env, FirstArgument(env, info), target, kFixedBytes, &bytes);
  return bytes;
}

size_t CopyBufferTo(napi_env env, napi_callback_info info, char* target) {
  void* data = nullptr;
  size_t bytes = 0;
  napi_get_buffer_info(env, FirstArgument(env, info), &data, &bytes);
  if (bytes > kFixedBytes) bytes = kFixedBytes;
  std::memcpy(target, data, bytes);
  return bytes;
}

napi_value Empty(napi_env, napi_callback_info) { return nullptr; }

napi_value CopyUtf8(napi_env env, napi_callback_info info) {
  CopyUtf8To(env, info, fixed_target);
  return nullptr;
}

napi_value CopyBuffer(napi_env env, napi_callback_info info) {
  CopyBufferTo(env, info, fixed_target);
  return nullptr;
}

napi_value StreamUtf8(napi_env env, napi_callback_info info) {
  stream_offset += CopyUtf8To(env, info, NextStreamTarget());
  return nullptr;
}

napi_value StreamBuffer(napi_env env, napi_callback_info info) {
  stream_offset += CopyBufferTo(env, info, NextStreamTarget());
  return nullptr;
}

}  // namespace

void AddCopies(napi_env env, napi_value exports) {
  AddFunction(env, exports, "empty", Empty);
  AddFunction(env, exports, "copyUtf8", CopyUtf8);
  AddFunction(env, exports, "copyBuffer", CopyBuffer);
  AddFunction(env, exports, "streamUtf8", StreamUtf8);
  AddFunction(env, exports, "streamBuffer", StreamBuffer);
}

}  // namespace floor_addon
