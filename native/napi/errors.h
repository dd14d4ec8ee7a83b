// The engine's errors as JavaScript's.
#pragma once

#include <napi.h>

#include "engine/error.h"
#include "engine/error_reporter.h"

namespace shardlog::napi {

// An Error with code and, where the kernel said no, errno (its name) and syscall; path where one is
// known.
Napi::Error MakeError(Napi::Env env, const std::string& code, const std::string& message,
                      int error_number, const std::string& call, const std::string& path);

Napi::Error MakeError(Napi::Env env, const engine::Error& error);
Napi::Error MakeError(Napi::Env env, const engine::FlushError& problem);

// Null where there is no problem.
Napi::Value ProblemValue(Napi::Env env, const engine::FlushError& problem);

}  // namespace shardlog::napi
