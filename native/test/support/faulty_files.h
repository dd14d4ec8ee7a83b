// The operating system's files behind a switchboard: any call can be made to fail, to do half of
// its work, or to be the moment at which the process dies.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "io/file.h"

namespace shardlog::test {

enum class Call {
  kOpen,
  kLock,
  kWrite,  // an append, through the page cache or past it
  kOverwrite,
  kRead,
  kStat,
  kStatPath,
  kSyncDirectory
};

// Thrown in place of a call: stands for the death of the process at that moment.
struct Killed {};

class FaultyFiles final : public io::FileSystem {
 public:
  static constexpr int kForEver = 1 << 30;

  // The next `times` calls of this kind, after `skip` good ones, fail with `error` (positive).
  void Fail(Call call, int error, int times = 1, int skip = 0);
  // The next `times` writes write only `bytes`.
  void WriteShort(size_t bytes, int times = 1);
  // Appends that fail leave their bytes in the file all the same, as the page cache does.
  void LeaveFailed(bool leave) { leaves_failed_ = leave; }
  bool leaves_failed() const { return leaves_failed_; }
  // All is well again.
  void Clear();

  // What happens instead of the `n`th call from now of a kind that changes the file (append,
  // overwrite), counting from 0. Of a write, `written_before` bytes reach the file first.
  void At(int n, size_t written_before, std::function<void()> what);

  int count(Call call) const;
  // Makes Stat report this alignment and buffered I/O; 0: what the kernel says.
  void SetAlignment(size_t alignment) { alignment_ = alignment; }

  // Files say that they are written directly, until direct I/O is turned off.
  void PretendDirect() { pretend_direct_ = true; }

  std::unique_ptr<io::File> Open(const std::string& path, const io::OpenOptions& options,
                                 int* error, const char** call) override;
  int StatPath(const std::string& path, io::FileInfo* info) override;
  std::vector<std::string> Siblings(const std::string& path) override;
  int SyncDirectory(const std::string& path) override;

  // --- for the files ---
  // 0 or -errno.
  int Before(Call call);
  // As Before, with the number of bytes to write.
  int BeforeChange(Call call, size_t* bytes);
  size_t alignment() const { return alignment_; }
  bool pretends_direct() const { return pretend_direct_; }

 private:
  struct Fault {
    int error = 0;
    int times = 0;
    int skip = 0;
  };

  mutable std::mutex mutex_;
  std::map<Call, Fault> faults_;
  std::map<Call, int> counts_;
  size_t short_bytes_ = 0;
  int short_times_ = 0;
  int changes_left_ = -1;
  size_t written_before_ = 0;
  std::function<void()> event_;
  size_t alignment_ = 0;
  std::atomic<bool> pretend_direct_{false};
  std::atomic<bool> leaves_failed_{false};
};

}  // namespace shardlog::test
