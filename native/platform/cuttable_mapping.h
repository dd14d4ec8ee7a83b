// A mapping of a file that another program may cut: a store into what is missing then, which the
// kernel answers by SIGBUS, goes into memory of this process instead, and the owner is told. So do
// all stores from the first on for which the file system has no room: a full one, of whose file
// there is a snapshot, needs room for what it had room for before.
//
// A handler of SIGBUS is installed with the first such mapping of the process. It answers for these
// mappings alone: whatever else comes goes to the handler that was there before it, or ends the
// process as it would without.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <utility>

#include "platform/event.h"

namespace shardlog::platform {

// Thread: the owner's, but for what says otherwise.
class CuttableMapping {
 public:
  CuttableMapping();
  ~CuttableMapping();
  CuttableMapping(const CuttableMapping&) = delete;
  CuttableMapping& operator=(const CuttableMapping&) = delete;

  // From here on the file `fd` lies at [at, at + bytes), from its beginning. The descriptor stays
  // open until End or Change.
  void Begin(void* at, uint64_t bytes, int fd);
  // The mapping is another, or is going to be unmapped: nobody uses it.
  void End();
  // In the child of fork(), which has no other thread. Async-signal-safe.
  void AbandonAfterFork();

  // `map()` puts another file, of the same size, in the place of what is mapped; true if it has.
  template <typename Map>
  bool Change(int fd, Map map) {
    Lock();
    BeginChange();
    const bool done = map();
    EndChange(done, fd);
    return done;
  }

  // Now and then: another part of the program may have put another handler in the place of ours.
  static void StayInstalled();

  // Whom to wake when something is missing: outlives the mapping, or is taken back by nullptr.
  void Wake(Event* event);

  // Any thread. Whether something was missing since Begin or Change.
  bool is_cut() const;
  // Any thread. The file was that long when it was shortest, as far as is known here. Bytes behind
  // that are lost.
  uint64_t whole_bytes() const;

  // Any thread. Whether stores go into memory of the process. The file stays as it was then.
  bool is_private() const;

  // Any thread. A word that is odd while memory is put in the place of other memory, and another
  // one each time afterwards. It stays where it is to the end of the process.
  const std::atomic<uint32_t>& changes() const;

  // One of all mappings of the process.
  struct Entry;

 private:
  void Lock();
  void BeginChange();
  void EndChange(bool done, int fd);

  Entry* const entry_;
};

}  // namespace shardlog::platform
