// CRC-32C (Castagnoli polynomial 0x1EDC6F41, reflected, initial value and final XOR 0xFFFFFFFF), as
// in RFC 3720 appendix B.4.
#pragma once

#include <cstddef>
#include <cstdint>

namespace shardlog::format {

// CRC-32C of `size` bytes, continuing from `crc`: Crc32c(b, nb, Crc32c(a, na)) is that of a then b.
uint32_t Crc32c(const void* data, size_t size, uint32_t crc = 0);

// CRC-32C of a then b, where that of a is `first` and that of the `second_bytes` of b is `second`.
uint32_t JoinCrc32c(uint32_t first, uint32_t second, uint64_t second_bytes);

// The table-driven form that machines without a CRC instruction use; public for the tests.
uint32_t Crc32cPortable(const void* data, size_t size, uint32_t crc = 0);

}  // namespace shardlog::format
