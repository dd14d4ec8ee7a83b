// Copies to memory that a device reads next.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardlog::engine {

// Copies `bytes` to `to`, past the caches where the processor can. Lines of memory that a device,
// or the host of a virtual machine, has read lie in caches of other processors as well; small
// stores to them wait for these one by one, which takes several times as long as making what is
// stored. What was copied may be handed to another thread by a release store.
void CopyNonTemporal(uint8_t* to, const char* from, size_t bytes);

}  // namespace shardlog::engine
