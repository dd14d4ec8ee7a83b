// Any bytes as an existing log: finding where to append must not crash or hang, must not lose what
// is there, and must come to the same end the second time.
#include <cstdlib>

#include "fuzz/memory_files.h"
#include "sink/append_point.h"

using shardlog::engine::PrepareAppend;
using shardlog::fuzz::MemoryFile;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t alignment = data[0] % 2 == 0 ? 512 : 4096;
  std::vector<uint8_t> bytes(data + 1, data + size);
  MemoryFile file(&bytes, alignment);
  uint64_t end = 0;
  if (!PrepareAppend(&file, &end).ok()) std::abort();
  if (end != bytes.size() || end % alignment != 0 || end < size - 1) std::abort();
  const std::vector<uint8_t> once = bytes;
  uint64_t again = 0;
  if (!PrepareAppend(&file, &again).ok() || again != end || bytes != once) std::abort();
  return 0;
}
