// The time of day by the processor's time stamp counter, where that can be trusted: a third of what
// the kernel's clock costs.
// Each reading extrapolates from one of the kernel's clock that is at most a millisecond old, so
// that steps and slewing of the clock are followed within that.
//
// Thread: one. Each thread has a clock of its own.
#pragma once

#include <cstdint>

namespace shardlog::platform {

class TickClock {
 public:
  // Whether the counter is used: it runs at one rate, whatever the processor does, and the
  // kernel itself keeps time by it, which it does only where all cores' counters agree.
  static bool IsUsable();

  // Milliseconds since the Unix epoch, rounded down, as Date.now() tells them.
  double NowMs();

  // The same in nanoseconds, to what the counter tells of them.
  uint64_t NowNs();

 private:
  void Synchronize();
  void Calibrate(uint64_t ticks, uint64_t boot_ns);

  uint64_t base_ticks_ = 0;
  uint64_t base_ns_ = 0;
  double base_ms_ = 0;         // the same
  double ms_per_tick_ = 0;     // 0: not known yet
  double ns_per_tick_ = 0;     // the same
  uint64_t window_ticks_ = 0;  // for how long a reading of the kernel's clock is good
  uint64_t rate_ticks_ = 0;    // what the rate is measured from
  uint64_t rate_ns_ = 0;       // since boot; 0: nothing yet
};

}  // namespace shardlog::platform
