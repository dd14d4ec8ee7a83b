#include "engine/error_reporter.h"

namespace shardlog::engine {

void ErrorReporter::Report(const FlushError& problem) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    last_ = problem;
  }
  Notify(problem);
}

void ErrorReporter::SetLast(const FlushError& problem) {
  const std::lock_guard<std::mutex> lock(mutex_);
  last_ = problem;
}

void ErrorReporter::ReportFailure(const FlushError& problem) {
  bool is_first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_first = !failing_;
    failing_ = true;
    last_ = problem;
  }
  if (is_first) Notify(problem);
}

void ErrorReporter::ReportSuccess() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failing_) return;
    failing_ = false;
    // [MM counter] relaxed: a policy, not a protocol.
    waiting_is_vain_.store(false, std::memory_order_relaxed);
  }
  Notify(FlushError{});
}

void ErrorReporter::GiveUpWaiting() {
  const std::lock_guard<std::mutex> lock(mutex_);
  // [MM counter] relaxed: a policy, not a protocol.
  waiting_is_vain_.store(failing_, std::memory_order_relaxed);
}

FlushError ErrorReporter::last() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return last_;
}

FlushError ErrorReporter::present() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool lasts = failing_ || last_.code == "ERR_SHARDLOG_ARENA_ASIDE";
  return lasts ? last_ : FlushError{};
}

void ErrorReporter::Notify(const FlushError& problem) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  for (const auto& [key, listener] : listeners_) listener(problem);
}

void ErrorReporter::AddListener(const void* key, Listener listener) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  listeners_.emplace_back(key, std::move(listener));
}

void ErrorReporter::RemoveListener(const void* key) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  std::erase_if(listeners_, [key](const auto& entry) { return entry.first == key; });
}

}  // namespace shardlog::engine
