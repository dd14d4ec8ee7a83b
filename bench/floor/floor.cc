#include "floor.h"

namespace floor_addon {

void AddFunction(napi_env env, napi_value object, const char* name, napi_callback callback) {
  napi_value function;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) != napi_ok ||
      napi_set_named_property(env, object, name, function) != napi_ok) {
    napi_fatal_error("floor", NAPI_AUTO_LENGTH, name, NAPI_AUTO_LENGTH);
  }
}

}  // namespace floor_addon

NAPI_MODULE_INIT() {
  floor_addon::AddCopies(env, exports);
  floor_addon::AddClock(env, exports);
  floor_addon::AddRawWrite(env, exports);
  floor_addon::AddUsage(env, exports);
  return exports;
}
