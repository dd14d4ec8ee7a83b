// Who a process is, so that a dead owner of an arena is never taken for a living one.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>

namespace shardlog::platform {

struct ProcessIdentity {
  uint32_t pid = 0;
  uint64_t start_ticks = 0;  // field 22 of /proc/<pid>/stat; tells a reused pid apart
  std::array<uint8_t, 16> boot_id{};
};

// The calling process.
ProcessIdentity CurrentProcess();

// The inode of the calling process's pid namespace; 0 if it cannot be found out.
uint64_t PidNamespace();

// Start time of pid in clock ticks since boot, or 0 if there is no such process (or it is a
// zombie).
uint64_t ProcessStartTicks(uint32_t pid);

// True if the process that `identity` describes is running now, on this boot of this machine.
bool IsAlive(const ProcessIdentity& identity);

}  // namespace shardlog::platform
