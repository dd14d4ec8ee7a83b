#include <errno.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "floor.h"

namespace floor_addon {
namespace {

struct Raw {
  double seconds = 0;
  bool direct = true;
  const char* failed = nullptr;  // the call that failed, errno tells why
};

double Seconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

bool WriteAll(int fd, const char* data, size_t bytes, off_t offset) {
  while (bytes > 0) {
    const ssize_t written = pwrite(fd, data, bytes, offset);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    bytes -= static_cast<size_t>(written);
    offset += written;
  }
  return true;
}

// Opens with O_DIRECT|O_DSYNC; without O_DIRECT where the file system refuses it.
int Open(const std::string& path, Raw* raw) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_DSYNC;
  int fd = open(path.c_str(), kFlags | O_DIRECT, 0644);
  if (fd < 0 && errno == EINVAL) {
    raw->direct = false;
    fd = open(path.c_str(), kFlags, 0644);
  }
  return fd;
}

Raw Write(const std::string& path, uint64_t total, size_t chunk) {
  Raw raw;
  void* memory = nullptr;
  if (posix_memalign(&memory, 4096, chunk) != 0) {
    raw.failed = "posix_memalign";
    return raw;
  }
  std::memset(memory, 'r', chunk);
  const int fd = Open(path, &raw);
  if (fd < 0) {
    raw.failed = "open";
    free(memory);
    return raw;
  }
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(total)); error != 0) {
    errno = error;
    raw.failed = "posix_fallocate";
  }
  const double start = Seconds();
  for (uint64_t offset = 0; raw.failed == nullptr && offset < total; offset += chunk) {
    if (!WriteAll(fd, static_cast<const char*>(memory), chunk, static_cast<off_t>(offset)))
      raw.failed = "pwrite";
  }
  raw.seconds = Seconds() - start;
  close(fd);
  free(memory);
  return raw;
}

void SetDouble(napi_env env, napi_value object, const char* name, double value) {
  napi_value number;
  napi_create_double(env, value, &number);
  napi_set_named_property(env, object, name, number);
}

napi_value RawWrite(napi_env env, napi_callback_info info) {
  size_t count = 3;
  napi_value arguments[3];
  char path[4096];
  double total = 0, chunk = 0;
  napi_get_cb_info(env, info, &count, arguments, nullptr, nullptr);
  if (count != 3 ||
      napi_get_value_string_utf8(env, arguments[0], path, sizeof path, nullptr) != napi_ok ||
      napi_get_value_double(env, arguments[1], &total) != napi_ok ||
      napi_get_value_double(env, arguments[2], &chunk) != napi_ok || chunk < 4096 ||
      total < chunk) {
    napi_throw_type_error(
        env, nullptr, "rawWrite(path, totalBytes, chunkBytes): chunkBytes from 4096 to totalBytes");
    return nullptr;
  }
  const size_t chunk_bytes = static_cast<size_t>(chunk) / 4096 * 4096;
  const uint64_t whole = static_cast<uint64_t>(total) / chunk_bytes * chunk_bytes;
  const Raw raw = Write(path, whole, chunk_bytes);
  if (raw.failed != nullptr) {
    napi_throw_error(env, raw.failed,
                     (std::string(raw.failed) + ": " + std::strerror(errno)).c_str());
    return nullptr;
  }
  napi_value result, direct;
  napi_create_object(env, &result);
  SetDouble(env, result, "bytes", static_cast<double>(whole));
  SetDouble(env, result, "seconds", raw.seconds);
  napi_get_boolean(env, raw.direct, &direct);
  napi_set_named_property(env, result, "direct", direct);
  return result;
}

}  // namespace

void AddRawWrite(napi_env env, napi_value exports) {
  AddFunction(env, exports, "rawWrite", RawWrite);
}

}  // namespace floor_addon
