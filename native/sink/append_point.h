// Where the next block of an existing log goes.
#pragma once

#include <cstdint>

#include "engine/io_status.h"
#include "format/block.h"
#include "io/file.h"

namespace shardlog::engine {

// Reads exactly `size` bytes. 0 or a positive errno; EIO if the file is shorter.
int ReadFully(io::File* file, void* to, size_t size, uint64_t offset);

// Finds the end of the log's last block and makes the file ready for appending there: a torn last
// block is cut in place to those of its entries that are ours for certain (so that readers do not
// take the next block for the rest of it), and the file is filled with zeroes up to a multiple of
// its alignment. The file never gets shorter, and what may be foreign bytes is left as it is. On
// success *end is that offset, the file's size. `from` is an offset at which a block begins, or
// would: what lies before it is known to be whole. `identity`: the torn block is known to be ours
// up to the end of the file; all its whole entries get this trailer.
IoStatus PrepareAppend(io::File* file, uint64_t* end, uint64_t from = 0,
                       const format::Trailer* identity = nullptr);

// The same for a file of text: ends a line that is not ended, so that ours begin on lines of their
// own. *end is the file's size.
IoStatus PrepareText(io::File* file, uint64_t* end);

// Appends all of the bytes through the page cache. *end: behind them.
IoStatus AppendFully(io::File* file, const void* from, size_t size, uint64_t* end);

}  // namespace shardlog::engine
