#include "platform/standard_error.h"

#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>

namespace shardlog::platform {

void WriteToStandardError(const std::string& line) {
  pollfd room = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, 0) <= 0) return;
  // What poll finds room for is taken at once up to here. There is nowhere to say that it failed.
  const ssize_t written =
      write(STDERR_FILENO, line.data(), std::min(line.size(), size_t{PIPE_BUF}));
  static_cast<void>(written);
}

}  // namespace shardlog::platform
