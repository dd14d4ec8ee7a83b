#include "platform/lock_holder.h"

#include <sys/sysmacros.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <memory>

namespace shardlog::platform {

uint32_t FlockHolder(uint64_t device, uint64_t inode) {
  const std::unique_ptr<FILE, int (*)(FILE*)> locks(std::fopen("/proc/locks", "re"), &std::fclose);
  if (locks == nullptr) return 0;
  char line[256];
  while (std::fgets(line, sizeof line, locks.get()) != nullptr) {
    // 1: FLOCK  ADVISORY  WRITE 1234 fe:00:56789 0 EOF
    char kind[16];
    int pid = 0;
    unsigned locked_major = 0;
    unsigned locked_minor = 0;
    uint64_t locked_inode = 0;
    const int fields = std::sscanf(line, "%*s %15s %*s %*s %d %x:%x:%" SCNu64, kind, &pid,
                                   &locked_major, &locked_minor, &locked_inode);
    const bool same =
        locked_major == major(device) && locked_minor == minor(device) && locked_inode == inode;
    if (fields == 5 && std::strcmp(kind, "FLOCK") == 0 && same && pid > 0) {
      return static_cast<uint32_t>(pid);
    }
  }
  return 0;
}

}  // namespace shardlog::platform
