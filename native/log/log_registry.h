// Process-wide state, and the only place that has any: the open logs, by file or by what a
// descriptor leads to.
//
// Thread: any.
#pragma once

#include <memory>
#include <string>

#include "log/log.h"

namespace shardlog::engine {

// The log at config.path, or of config.descriptor, joined if this process has that file open
// already (under any name), or logs to the same pipe, terminal or socket; opened otherwise. A log
// that is joined keeps the options of its first opener. Each call must be matched by one of Leave.
// Waits while another thread opens or closes the same file, not for those of other files. Throws
// Error as Log::Open does. `files` outlives the log.
std::shared_ptr<Log> Join(const Config& config, io::FileSystem* files = &io::PosixFileSystem());

// The last to leave closes the log, and is told how that went; others get ok.
IoStatus Leave(const std::shared_ptr<Log>& log);

}  // namespace shardlog::engine
