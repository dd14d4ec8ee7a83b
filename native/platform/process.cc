#include "platform/process.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace shardlog::platform {
namespace {

// Whole of a small /proc file; empty if it cannot be read.
std::string ReadSmallFile(const char* path) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char buffer[1024];
  const ssize_t got = read(fd, buffer, sizeof buffer);
  close(fd);
  return got > 0 ? std::string(buffer, static_cast<size_t>(got)) : std::string();
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::array<uint8_t, 16> BootId() {
  std::array<uint8_t, 16> id{};
  size_t nibble = 0;
  for (const char c : ReadSmallFile("/proc/sys/kernel/random/boot_id")) {
    const int digit = HexDigit(c);
    if (digit < 0 || nibble == 32) continue;
    id[nibble / 2] = static_cast<uint8_t>(id[nibble / 2] << 4 | digit);
    nibble++;
  }
  return id;
}

}  // namespace

uint64_t PidNamespace() {
  struct stat st;
  return stat("/proc/self/ns/pid", &st) == 0 ? st.st_ino : 0;
}

uint64_t ProcessStartTicks(uint32_t pid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%u/stat", pid);
  const std::string stat = ReadSmallFile(path);
  // The command name (field 2) may hold spaces and parentheses; fields are counted from its last
  // ')'.
  const size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= stat.size()) return 0;
  const char state = stat[name_end + 2];
  if (state == 'Z' || state == 'X') return 0;
  size_t at = name_end + 2;
  for (int field = 3; field < 22; field++) {
    at = stat.find(' ', at);
    if (at == std::string::npos) return 0;
    at++;
  }
  return std::strtoull(stat.c_str() + at, nullptr, 10);
}

ProcessIdentity CurrentProcess() {
  ProcessIdentity self;
  self.pid = static_cast<uint32_t>(getpid());
  self.start_ticks = ProcessStartTicks(self.pid);
  self.boot_id = BootId();
  return self;
}

bool IsAlive(const ProcessIdentity& identity) {
  if (identity.boot_id != BootId()) return false;
  const uint64_t start = ProcessStartTicks(identity.pid);
  return start != 0 && start == identity.start_ticks;
}

}  // namespace shardlog::platform
