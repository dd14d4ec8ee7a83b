#include "napi/errors.h"

#include "napi/errno_name.h"

namespace shardlog::napi {

Napi::Error MakeError(Napi::Env env, const std::string& code, const std::string& message,
                      int error_number, const std::string& call, const std::string& path) {
  Napi::Error error = Napi::Error::New(env, message);
  Napi::Object value = error.Value();
  value.Set("code", code);
  if (error_number != 0) {
    const char* name = ErrnoName(error_number);
    value.Set("errno", name != nullptr ? name : "errno " + std::to_string(error_number));
  }
  if (!call.empty()) value.Set("syscall", call);
  if (!path.empty()) value.Set("path", path);
  return error;
}

Napi::Error MakeError(Napi::Env env, const engine::Error& error) {
  return MakeError(env, error.code(), error.what(), error.error_number(), error.call(),
                   error.path());
}

Napi::Error MakeError(Napi::Env env, const engine::FlushError& problem) {
  return MakeError(env, problem.code, problem.message, problem.error_number, problem.call,
                   problem.path);
}

Napi::Value ProblemValue(Napi::Env env, const engine::FlushError& problem) {
  if (problem.code.empty()) return env.Null();
  return MakeError(env, problem).Value();
}

}  // namespace shardlog::napi
