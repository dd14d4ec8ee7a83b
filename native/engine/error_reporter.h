// What goes wrong with writing, for lastError and the error callbacks.
//
// Thread: any.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace shardlog::engine {

// A failure of the flusher, or its end.
struct FlushError {
  std::string code;  // empty: none
  std::string message;
  std::string path;
  int error_number = 0;
  std::string call;
};

class ErrorReporter {
 public:
  using Listener = std::function<void(const FlushError&)>;

  // Shows in last() and is told to the listeners.
  void Report(const FlushError& problem);

  // Shows in last(); listeners need not know.
  void SetLast(const FlushError& problem);

  // Writing fails, or succeeds. Listeners are told once of each outage, and of its end
  // with an empty code; last() shows the latest failure.
  void ReportFailure(const FlushError& problem);
  void ReportSuccess();

  // A call has waited for room as long as it may. If writing fails, others would wait in vain, too.
  void GiveUpWaiting();
  // Whether that was so, and writing fails still.
  // [MM counter] relaxed: a policy, not a protocol.
  bool waiting_is_vain() const { return waiting_is_vain_.load(std::memory_order_relaxed); }

  FlushError last() const;
  // The problem that somebody who listens from now on has to know: one that lasts. An empty code
  // means none.
  FlushError present() const;

  // Listeners are called on the reporting thread, one after the other, under a lock that Remove
  // takes too: once RemoveListener has returned, the listener is not running and will not run.
  // `key` identifies the listener.
  void AddListener(const void* key, Listener listener);
  void RemoveListener(const void* key);

 private:
  void Notify(const FlushError& problem);

  mutable std::mutex mutex_;  // guards what follows
  FlushError last_;
  bool failing_ = false;
  std::atomic<bool> waiting_is_vain_{false};  // written under mutex_

  std::mutex listeners_mutex_;
  std::vector<std::pair<const void*, Listener>> listeners_;
};

}  // namespace shardlog::engine
