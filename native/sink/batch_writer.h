// Appends a batch of memory to the log in as few calls as possible, with bounded retries.
//
// A batch is whole units, blocks or lines, and no call ends within a line or begins a block where
// none may begin. So what others append meanwhile comes between our units, and the kernel's word
// on where each call ended tells exactly what of the batch is in the log.
//
// Thread: the flusher and its writing thread in turn, or recovery. Not shared.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/io_status.h"
#include "sink/log_file.h"

namespace shardlog::engine {

class BatchWriter {
 public:
  enum class Unit { kBlocks, kLines };

  explicit BatchWriter(Unit unit);

  // The first unit of the next batch has `torn` bytes in the log already, at its end, or at that of
  // the log's old file.
  void Start(LogFile* log, size_t torn);

  // The memory stays as it is until Write. Joined with the piece before, where it lies behind it.
  // Blocks: addresses and lengths are multiples of the log's alignment. Lines: one piece, whose
  // address is the log's end modulo a page.
  void Add(uint8_t* start, size_t bytes);
  // Blocks: what was added since the last one is a block.
  void EndBlock() { block_ends_.push_back(bytes_); }

  // Whether there is nothing to write.
  bool empty() const { return pieces_.empty(); }
  // Whether the pieces are worth, or need, a write.
  bool IsFull() const;

  // Appends what was added, and forgets it.
  IoStatus Write();

  // Of the batch that Write was called for: bytes in the log that are whole units, how many blocks
  // they are, and bytes of the unit behind them that are there, too.
  size_t whole() const { return whole_; }
  size_t whole_blocks() const { return whole_blocks_; }
  size_t torn() const { return torn_; }
  size_t size() const { return size_; }
  // Its first piece; all of it, if that is lines or one block.
  const uint8_t* data() const { return data_; }

  LogFile* log() const { return log_; }

  // Lines: where in [data, data + size), which is to lie at `offset` of the log, to end a batch
  // that more lines follow: at the last line end that direct I/O can write up to, if there is any.
  size_t BestCut(const uint8_t* data, size_t size, uint64_t offset) const;

 private:
  struct Call {
    size_t to;
    LogFile::Through through;
  };

  IoStatus FinishInOld();
  IoStatus WriteRest();
  Call NextCall() const;
  Call NextCallOfBlocks() const;
  Call NextCallOfLines() const;
  bool CanGoDirect() const;
  size_t UnitStart(size_t at) const;
  size_t UnitEnd(size_t at) const;
  void Resume(bool moved, size_t taken);
  void Select(size_t to);
  void Settle();

  const Unit unit_;
  std::vector<iovec> pieces_;
  std::vector<size_t> block_ends_;
  std::vector<iovec> selected_;  // what the next call appends
  size_t bytes_ = 0;
  size_t at_ = 0;  // the batch is in the log up to here
  int moves_ = 0;  // how often somebody else's append was in our way

  const uint8_t* data_ = nullptr;
  size_t size_ = 0;
  size_t whole_ = 0;
  size_t whole_blocks_ = 0;
  size_t torn_ = 0;

  LogFile* log_ = nullptr;
};

}  // namespace shardlog::engine
