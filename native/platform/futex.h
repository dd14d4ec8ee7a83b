// Sleeping on a 32-bit word. Used only where a thread has decided to wait: the flusher between
// flushes, flush() and close(), and producers under onFull 'block'. Never on the accepting path.
#pragma once

#include <atomic>
#include <cstdint>

namespace shardlog::platform {

inline constexpr uint64_t kForever = UINT64_MAX;

// Sleeps while *word == expected, for timeout_ns at most. May return early; the caller re-checks.
void FutexWait(const std::atomic<uint32_t>* word, uint32_t expected, uint64_t timeout_ns);

// Wakes every thread sleeping on word.
// At most `waiters` of them, the longest waiting first.
void FutexWake(const std::atomic<uint32_t>* word, int waiters);
void FutexWakeAll(const std::atomic<uint32_t>* word);

}  // namespace shardlog::platform
