// Memory of the addon's as JavaScript sees it, without a copy.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

namespace shardlog::napi {

// An ArrayBuffer over memory that `owner` keeps alive; an empty value where external buffers are
// forbidden.
template <typename Owner>
napi_value ExternalBuffer(napi_env env, void* memory, size_t bytes,
                          const std::shared_ptr<Owner>& owner) {
  auto* keeper = new std::shared_ptr<Owner>(owner);
  napi_value buffer = nullptr;
  const auto release = [](napi_env, void*, void* hint) {
    delete static_cast<std::shared_ptr<Owner>*>(hint);
  };
  if (napi_create_external_arraybuffer(env, memory, bytes, release, keeper, &buffer) != napi_ok) {
    delete keeper;
    return nullptr;
  }
  return buffer;
}

template <typename Array, typename Owner>
bool SetArray(const Napi::Object& to, const char* name, void* memory, size_t bytes,
              const std::shared_ptr<Owner>& owner) {
  const Napi::Env env = to.Env();
  const napi_value buffer = ExternalBuffer(env, memory, bytes, owner);
  if (buffer == nullptr) return false;
  to.Set(name, Array::New(env, bytes / Array::New(env, 0).ElementSize(),
                          Napi::ArrayBuffer(env, buffer), 0));
  return true;
}

}  // namespace shardlog::napi
