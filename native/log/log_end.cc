#include "log/log_end.h"

namespace shardlog::engine {

void LogStats::Add(const Producer& producer) {
  total_logs += producer.accepted() + producer.dropped();
  dropped_logs += producer.dropped();
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
