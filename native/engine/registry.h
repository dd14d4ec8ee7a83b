// Process-wide state, and the only place that has any: the open logs, by file.
//
// Thread: any; every function locks.
#pragma once

#include <memory>
#include <string>

#include "engine/log.h"

namespace shardlog::engine {

// The log at config.path, joined if this process has that file open already (under any name),
// opened otherwise. A log that is joined keeps the options of its first opener. Each call must be
// matched by one of Leave. Throws Error as Log::Open does.
std::shared_ptr<Log> Join(const Config& config);

// The last to leave closes the log, and is told how that went; others get ok.
IoStatus Leave(const std::shared_ptr<Log>& log);

}  // namespace shardlog::engine
