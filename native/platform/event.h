// An event that threads can wait for: a counter that Signal moves on and waiters watch.
#pragma once

#include <atomic>
#include <cstdint>

#include "platform/futex.h"

namespace shardlog::platform {

// Any number of threads wait, any number signal. A waiter takes Epoch() first, then checks its
// condition, then waits for the epoch to move: no signal between check and wait is missed.
class Event {
 public:
  // [MM event-wait] pairs with event-signal: what the signaller wrote is seen.
  uint32_t Epoch() const { return epoch_.load(std::memory_order_acquire); }

  void Wait(uint32_t epoch, uint64_t timeout_ns) const { FutexWait(&epoch_, epoch, timeout_ns); }

  void Signal() {
    // [MM event-signal] pairs with event-wait.
    epoch_.fetch_add(1, std::memory_order_release);
    FutexWakeAll(&epoch_);
  }

  // Signal for one of the waiters, which is to say it to the next with PassOn.
  void SignalOne() {
    // [MM event-signal] pairs with event-wait.
    epoch_.fetch_add(1, std::memory_order_release);
    FutexWake(&epoch_, 1);
  }

  void PassOn() const { FutexWake(&epoch_, 1); }

 private:
  std::atomic<uint32_t> epoch_{0};
};

}  // namespace shardlog::platform
