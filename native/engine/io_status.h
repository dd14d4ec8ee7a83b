// How a call of the kernel ended.
#pragma once

namespace shardlog::engine {

struct IoStatus {
  int error = 0;  // 0 or a positive errno
  const char* call = "";

  bool ok() const { return error == 0; }
};

}  // namespace shardlog::engine
