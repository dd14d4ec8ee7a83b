#include "engine/problems.h"

namespace shardlog::engine {

void Problems::Report(const FlushProblem& problem) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    last_ = problem;
  }
  Tell(problem);
}

void Problems::Note(const FlushProblem& problem) {
  const std::lock_guard<std::mutex> lock(mutex_);
  last_ = problem;
}

void Problems::ReportFailure(const FlushProblem& problem) {
  bool is_first = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    is_first = !failing_;
    failing_ = true;
    last_ = problem;
  }
  if (is_first) Tell(problem);
}

void Problems::ReportSuccess() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failing_) return;
    failing_ = false;
  }
  Tell(FlushProblem{});
}

FlushProblem Problems::last() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return last_;
}

FlushProblem Problems::present() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const bool lasts = failing_ || last_.code == "ERR_SHARDLOG_ARENA_ASIDE";
  return lasts ? last_ : FlushProblem{};
}

void Problems::Tell(const FlushProblem& problem) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  for (const auto& [key, listener] : listeners_) listener(problem);
}

void Problems::AddListener(const void* key, Listener listener) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  listeners_.emplace_back(key, std::move(listener));
}

void Problems::RemoveListener(const void* key) {
  const std::lock_guard<std::mutex> lock(listeners_mutex_);
  std::erase_if(listeners_, [key](const auto& entry) { return entry.first == key; });
}

}  // namespace shardlog::engine
