// A file system in memory that can end the world at any step, and knows what of a file is on the
// device by then.
//
// A step is a call that changes a file. Of the call at which the world ends, so many bytes take
// effect. When a process ends, what was written stays; when the power fails, an append that had not
// returned leaves any number of its bytes, and without dsync so do all since.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "io/file.h"

namespace shardlog::test {

// Thrown at the step at which the world ends.
struct WorldEnds {};

class ModelFiles final : public io::FileSystem {
 public:
  struct Content {
    std::string bytes;
    size_t durable = 0;  // of them
    uint64_t inode = 0;
    uint64_t links = 1;
  };

  // The world ends at the `step`th step from now, from 0; of it, `bytes` take effect.
  void EndAt(int step, size_t bytes) {
    steps_left_ = step;
    bytes_of_last_ = bytes;
  }
  void GoOn() { steps_left_ = -1; }
  // The power fails: each file keeps what is durable, and `more` of what is not.
  void FailPower(size_t more);

  // What other programs do.
  void AppendForeign(const std::string& path, const std::string& bytes);
  void Rename(const std::string& from, const std::string& to);
  void CopyAndTruncate(const std::string& from, const std::string& to);
  // Another inode with the same content, as a copy of the volume has it.
  void Copy(const std::string& path);

  std::string Read(const std::string& path) const;
  std::vector<std::string> Paths() const;

  std::unique_ptr<io::File> Open(const std::string& path, const io::OpenOptions& options,
                                 int* error, const char** call) override;
  int StatPath(const std::string& path, io::FileInfo* info) override;
  std::vector<std::string> Siblings(const std::string& path) override;
  int SyncDirectory(const std::string&) override { return 0; }

  // --- for the files ---
  // How many of `bytes` take effect; *ends says that the world ends then.
  size_t Step(size_t bytes, bool* ends);

 private:
  std::map<std::string, std::shared_ptr<Content>> names_;
  uint64_t next_inode_ = 1;
  int steps_left_ = -1;
  size_t bytes_of_last_ = 0;
};

}  // namespace shardlog::test
