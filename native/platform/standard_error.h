// For what nobody is left to ask about.
#pragma once

#include <string>

namespace shardlog::platform {

// Writes a line, if that takes no waiting.
void WriteToStandardError(const std::string& line);

}  // namespace shardlog::platform
