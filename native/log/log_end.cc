#include "log/log_end.h"

namespace shardlog::engine {

void LogStats::Add(const Producer& producer) {
  // Read once: it may be dropping at this moment, and what is accepted is the difference.
  const uint64_t dropped = producer.dropped();
  total_logs += producer.accepted() + dropped;
  dropped_logs += dropped;
  oversized_logs += producer.oversized();
  empty_logs += producer.empty();
  blocked_logs += producer.blocked();
}

LogStats LogEnd::Stats() const {
  LogStats stats = last_.stats;
  for (const std::shared_ptr<Producer>& producer : last_.counting) stats.Add(*producer);
  return stats;
}

}  // namespace shardlog::engine
