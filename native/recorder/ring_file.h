// The file behind a ring: made, found and removed by the rules of a log's arena.
#pragma once

#include <cstdint>
#include <string>

#include "engine/arena_file.h"

namespace shardlog::recorder {

// A new file of ours that gets its name when it is whole.
class NewRingFile {
 public:
  NewRingFile(const std::string& path, uint64_t bytes);
  int fd() const { return file_.fd(); }
  // The locked descriptor. Throws engine::Error.
  int Publish() { return file_.Publish(); }

 private:
  engine::NewArenaFile file_;
};

// Gives what a recorder that died has left at `path` another name, which is returned; empty if
// there is nothing. Throws engine::Error: ERR_SHARDLOG_LOCKED if its recorder lives,
// ERR_SHARDLOG_ARENA_OWNER if it is not a recorder's, or not to be believed.
std::string MakeWayForRing(const std::string& path);

// Removes the name, if it is still that of the file behind `fd`.
void RemoveRingFile(const std::string& path, int fd);

}  // namespace shardlog::recorder
