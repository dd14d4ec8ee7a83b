// Time in nanoseconds. Producers and the flusher call these on cold paths only.
#pragma once

#include <time.h>

#include <cstdint>

namespace shardlog::platform {

inline uint64_t ClockNs(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<uint64_t>(now.tv_nsec);
}

// Nanoseconds since the Unix epoch.
inline uint64_t RealtimeNs() { return ClockNs(CLOCK_REALTIME); }

// Nanoseconds of a clock that never steps; for durations and deadlines.
inline uint64_t MonotonicNs() { return ClockNs(CLOCK_MONOTONIC); }

// As MonotonicNs, also while the machine is suspended.
inline uint64_t BootNs() { return ClockNs(CLOCK_BOOTTIME); }

}  // namespace shardlog::platform
