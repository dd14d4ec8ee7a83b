// Names of errnos, without libuv: Bun and Deno have its functions as stubs or not at all.
#pragma once

namespace shardlog::napi {

// The name of a positive errno, such as "ENOSPC"; null for one that has none here.
const char* ErrnoName(int error_number);

}  // namespace shardlog::napi
