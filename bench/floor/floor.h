// What a native logger cannot go below on this machine: the bare N-API calls, a clock cheap enough
// to time single calls with, and raw writes. Each Add… function puts its functions on `exports`.
// Everything runs on the JavaScript thread.
#pragma once

#include <node_api.h>

namespace floor_addon {

// empty(), copyUtf8(string), copyBuffer(buffer), streamUtf8(string), streamBuffer(buffer).
void AddCopies(napi_env env, napi_value exports);

// stamp(), clock (Float64Array of one), clockSource (string).
void AddClock(napi_env env, napi_value exports);

// rawWrite(path, totalBytes, chunkBytes) -> {bytes, seconds, direct}.
void AddRawWrite(napi_env env, napi_value exports);

// threadUsage() -> {userNs, systemNs} of the calling thread.
void AddUsage(napi_env env, napi_value exports);

// Puts a function on `object`; a failure is fatal, since a floor that is not there makes every
// figure wrong.
void AddFunction(napi_env env, napi_value object, const char* name, napi_callback callback);

}  // namespace floor_addon
