#include <sys/resource.h>

#include "floor.h"

namespace floor_addon {
namespace {

double Nanoseconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_usec) * 1e3;
}

// The kernel divides a thread's exact running time by samples of what it was doing, so that the
// parts are good over seconds.
napi_value ThreadUsage(napi_env env, napi_callback_info) {
  rusage usage;
  getrusage(RUSAGE_THREAD, &usage);
  napi_value result, user, system;
  if (napi_create_object(env, &result) != napi_ok ||
      napi_create_double(env, Nanoseconds(usage.ru_utime), &user) != napi_ok ||
      napi_create_double(env, Nanoseconds(usage.ru_stime), &system) != napi_ok ||
      napi_set_named_property(env, result, "userNs", user) != napi_ok ||
      napi_set_named_property(env, result, "systemNs", system) != napi_ok) {
    napi_throw_error(env, nullptr, "threadUsage: out of memory");
    return nullptr;
  }
  return result;
}

}  // namespace

void AddUsage(napi_env env, napi_value exports) {
  AddFunction(env, exports, "threadUsage", ThreadUsage);
}

}  // namespace floor_addon
