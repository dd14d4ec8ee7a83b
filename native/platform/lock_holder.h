// Who holds a lock, for error messages.
#pragma once

#include <cstdint>

namespace shardlog::platform {

// Pid of the process that holds a flock on the inode, as /proc/locks tells it; 0 if that cannot be
// found out (another pid namespace, no /proc).
uint32_t FlockHolder(uint64_t inode);

}  // namespace shardlog::platform
