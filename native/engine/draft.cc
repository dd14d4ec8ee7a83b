#include "engine/draft.h"

#include <sys/mman.h>

#include <new>

namespace shardlog::engine {

Draft::Draft(size_t bytes) : bytes_(bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  data_ = static_cast<uint8_t*>(at);
}

void Draft::GiveBack() { madvise(data_, bytes_, MADV_DONTNEED); }

Draft::~Draft() { munmap(data_, bytes_); }

}  // namespace shardlog::engine
