// Who holds a lock, for error messages.
#pragma once

#include <cstdint>

namespace shardlog::platform {

// Pid of the process that holds a flock on the file, as /proc/locks tells it; 0 if that cannot be
// found out (another pid namespace, no /proc, a file system whose files have other device numbers
// than itself).
uint32_t FlockHolder(uint64_t device, uint64_t inode);

}  // namespace shardlog::platform
