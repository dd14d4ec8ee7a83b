// Threads that the host does not know of.
#pragma once

#include <functional>
#include <thread>

namespace shardlog::platform {

// Starts a thread that takes none of the process's signals, but for those of its own faults: the
// host's handlers belong on the host's threads. `name` has 15 bytes at the most. Throws
// std::system_error.
std::thread StartBackgroundThread(const char* name, std::function<void()> run);

}  // namespace shardlog::platform
