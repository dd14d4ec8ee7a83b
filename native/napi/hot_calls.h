// The functions that applications call for every entry, and what those wait for, straight on the C
// interface of Node-API: each layer above it can be measured here.
#pragma once

#include <node_api.h>

namespace shardlog::napi {

class EnvState;
class Handle;

// log(text): boolean as a function with `handle` as callback data. The caller keeps the handle
// alive for as long as the function lives.
napi_value CreateLog(napi_env env, Handle* handle);

// logBytes(bytes, start?, end?): boolean, putText(text): void, publish(): void and renew(bytes):
// number of the lane that JavaScript has chosen (EnvState::producer). V8 keeps a function of the
// addon's, and what it refers to, until its next full collection; a set of them for each log would
// be more than all else that a log leaves behind.
void AddLaneCalls(napi_env env, napi_value object, EnvState* state);

}  // namespace shardlog::napi
