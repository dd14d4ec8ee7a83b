// The functions that applications call for every entry, and what those wait for, straight on the C
// interface of Node-API: each layer above it can be measured here.
#pragma once

#include <node_api.h>

namespace shardlog::napi {

class Handle;

// log(text): boolean, logBytes(bytes, start?, end?): boolean, putText(text): void, publish(): void
// and renew(bytes): number as functions with `handle` as callback data. The caller keeps the handle
// alive for as long as the functions live.
napi_value CreateLog(napi_env env, Handle* handle);
napi_value CreateLogBytes(napi_env env, Handle* handle);
napi_value CreatePublish(napi_env env, Handle* handle);
napi_value CreatePutText(napi_env env, Handle* handle);
napi_value CreateRenew(napi_env env, Handle* handle);

}  // namespace shardlog::napi
