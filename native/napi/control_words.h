// What JavaScript and C++ both have a name for.
#pragma once

#include <napi.h>

namespace shardlog::napi {

// controlWords(): groups of numbers, under the names that lib/ has for them. For the test that
// holds both sides together (test/unit/control-words.test.ts); nothing else calls it.
Napi::Value ControlWords(const Napi::CallbackInfo& info);

}  // namespace shardlog::napi
