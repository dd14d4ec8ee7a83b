// Where the next block of an existing log goes.
#pragma once

#include <cstdint>

#include "engine/block_writer.h"
#include "io/file.h"

namespace shardlog::engine {

// Reads exactly `size` bytes. 0 or a positive errno; EIO if the file is shorter.
int ReadFully(io::File* file, void* to, size_t size, uint64_t offset);

// Finds the end of the log's last block and makes the file ready for appending there: a torn last
// block is cut to its whole entries (so that readers do not take the next block for the rest of
// it), and the file is filled with zeroes up to a multiple of its alignment. Foreign bytes are left
// as they are. On success *end is that offset, the file's size.
// `from` is an offset at which a block begins, or would: what lies before it is known to be whole.
IoStatus PrepareAppend(io::File* file, uint64_t* end, uint64_t from = 0);

// The same for a file of text: ends a line that is not ended, so that ours begin on lines of their
// own. *end is the file's size.
IoStatus PrepareText(io::File* file, uint64_t* end);

// Where the zeroes begin that lie before `end`, in a file of text: what somebody left who cut it.
// False if there are none, or nothing but them says that it was cut there.
bool FindZeroes(io::File* file, uint64_t end, uint64_t* begin);

}  // namespace shardlog::engine
