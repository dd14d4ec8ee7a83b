// The two functions that applications call for every entry, straight on the C interface of
// Node-API: each layer above it can be measured here.
#pragma once

#include <node_api.h>

namespace shardlog::napi {

class Handle;

// log(text): boolean and logBytes(bytes, start?, end?): boolean as functions with `handle` as
// callback data. The caller keeps the handle alive for as long as the functions live.
napi_value CreateLog(napi_env env, Handle* handle);
napi_value CreateLogBytes(napi_env env, Handle* handle);

}  // namespace shardlog::napi
