// Which of some lines a log holds already, each as many times as it does: for recovery, where a
// line that is there must not be written again.
//
// Three steps: Want() for each line that might have to be written, Found() for each line that the
// log has, Take() for each of the former once more, in the same order. Lines are told apart by 64
// bits of a hash.
//
// Thread: recovery. Not shared.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "format/block.h"
#include "record/line_buffer.h"

namespace shardlog::engine {

class LinesInLog {
 public:
  enum class Counts {
    kTimes,  // a line that the log has twice is taken twice
    kOnce    // a line that the log has, or that was not taken before, is always taken
  };
  explicit LinesInLog(Counts counts = Counts::kTimes) : counting_(counts) {}

  void Want(std::string_view line);
  // Between the first step and the second.
  void Arrange();
  // Whether the line is one of those wanted. It counts as in the log from now on.
  bool Found(std::string_view line);
  // Whether the log has the line, once more than it has been taken so far.
  bool Take(std::string_view line);

  // Lines that Found() has said yes to.
  uint64_t found() const { return found_; }

 private:
  uint32_t* CountOf(std::string_view line);

  const Counts counting_;
  std::vector<uint64_t> wanted_;  // hashes; sorted and each once after Arrange
  std::vector<uint32_t> counts_;
  uint64_t found_ = 0;
};

// Calls take(line) for each line of the chunk: an entry, or the bytes up to the end of a line and
// that.
template <typename Take>
void ForEachLine(const record::LineBuffer& chunk, record::Framing framing, Take take) {
  std::string_view rest(chunk.data(), chunk.size());
  while (!rest.empty()) {
    size_t start = 0;
    size_t end = 0;
    if (framing == record::Framing::kEntries) {
      start = format::kEntryPrefixBytes;
      end = start + format::Load<uint32_t>(rest.data());
    } else {
      const size_t newline = rest.find('\n');
      end = newline == std::string_view::npos ? rest.size() : newline + 1;
    }
    take(rest.substr(start, end - start));
    rest.remove_prefix(end);
  }
}

}  // namespace shardlog::engine
