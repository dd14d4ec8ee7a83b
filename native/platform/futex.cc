#include "platform/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

namespace shardlog::platform {

void FutexWait(const std::atomic<uint32_t>* word, uint32_t expected, uint64_t timeout_ns) {
  timespec limit;
  timespec* limit_ptr = nullptr;
  if (timeout_ns != kForever) {
    limit.tv_sec = static_cast<time_t>(timeout_ns / 1'000'000'000u);
    limit.tv_nsec = static_cast<long>(timeout_ns % 1'000'000'000u);
    limit_ptr = &limit;
  }
  // EAGAIN, EINTR and ETIMEDOUT all mean "look again", which is what the caller does.
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, limit_ptr, nullptr, 0);
}

void FutexWake(const std::atomic<uint32_t>* word, int waiters) {
  syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, waiters, nullptr, nullptr, 0);
}

void FutexWakeAll(const std::atomic<uint32_t>* word) { FutexWake(word, INT_MAX); }

}  // namespace shardlog::platform
