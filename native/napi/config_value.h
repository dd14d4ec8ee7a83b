// The configuration object of lib/config.ts as the engine's.
#pragma once

#include <napi.h>

#include "engine/config.h"

namespace shardlog::napi {

// Expects what lib/config.ts resolves to. Throws Napi::TypeError for anything else, which is a
// mistake of ours.
engine::Config ConfigFrom(const Napi::Object& value);

io::DirectIo DirectIoFrom(const Napi::Value& value);

}  // namespace shardlog::napi
