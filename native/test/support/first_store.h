// Stops a thread at its first store into some pages, to do there what another thread could do.
#pragma once

#include <cstddef>
#include <functional>

namespace shardlog::test {

// From construction until the first store into the pages, they are read-only. That store runs `at`,
// on the thread that makes it, and is made afterwards. One object at a time lives in a process; its
// pages hold nothing that `at` needs to change before they are writable, which they are by then.
// Not under ThreadSanitizer: it holds a lock of its own while it makes an atomic store, and `at`
// would wait for that.
class FirstStore {
 public:
  // `start` and `bytes` are multiples of the page size.
  FirstStore(void* start, size_t bytes, std::function<void()> at);
  ~FirstStore();

  FirstStore(const FirstStore&) = delete;
  FirstStore& operator=(const FirstStore&) = delete;

  // Whether the store has come.
  static bool HasCome();
};

}  // namespace shardlog::test
