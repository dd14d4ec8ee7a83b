// A file that is mapped, and that somebody cuts (platform/cuttable_mapping.h).
#include "platform/cuttable_mapping.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "support/temp_dir.h"

namespace shardlog::test {
namespace {

using platform::CuttableMapping;

constexpr uint64_t kPage = 4096;
constexpr uint64_t kBytes = 16 * kPage;

// What a store is that the compiler must not leave out.
void Store(volatile uint8_t* at, uint8_t value) { *at = value; }

class MappedFile {
 public:
  explicit MappedFile(const std::string& name = "file") : name_(name) {
    fd_ = open(directory_.File(name_).c_str(), O_RDWR | O_CREAT, 0600);
    EXPECT_EQ(posix_fallocate(fd_, 0, kBytes), 0);
    at_ = static_cast<uint8_t*>(mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
  }
  ~MappedFile() {
    munmap(at_, kBytes);
    close(fd_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  void Cut(uint64_t to) const { EXPECT_EQ(truncate(directory_.File(name_).c_str(), to), 0); }
  uint8_t* at() const { return at_; }
  int fd() const { return fd_; }

 private:
  const TempDir directory_;
  const std::string name_;
  int fd_;
  uint8_t* at_;
};

TEST(Cuttable, AStoreBehindTheEndGoesIntoMemoryAndIsTold) {
  const MappedFile file;
  platform::Event event;
  CuttableMapping mapping;
  mapping.Begin(file.at(), kBytes, file.fd());
  mapping.Wake(&event);
  const uint32_t epoch = event.Epoch();
  const uint32_t change = mapping.changes();
  Store(file.at(), 1);
  EXPECT_FALSE(mapping.is_cut());
  file.Cut(3 * kPage + 100);
  Store(file.at() + 3 * kPage, 2);
  EXPECT_FALSE(mapping.is_cut()) << "the page that the end lies in is there";
  errno = 77;
  Store(file.at() + 9 * kPage, 3);
  EXPECT_EQ(errno, 77);
  EXPECT_TRUE(mapping.is_cut());
  EXPECT_EQ(mapping.whole_bytes(), 3 * kPage + 100);
  EXPECT_NE(event.Epoch(), epoch);
  EXPECT_EQ(mapping.changes(), change + 2);
  EXPECT_EQ(file.at()[0], 1);
  EXPECT_EQ(file.at()[9 * kPage], 3);
  EXPECT_EQ(file.at()[4 * kPage], 0);
}

TEST(Cuttable, MayBeCutOnceMore) {
  const MappedFile file;
  CuttableMapping mapping;
  mapping.Begin(file.at(), kBytes, file.fd());
  file.Cut(8 * kPage);
  Store(file.at() + 8 * kPage, 8);
  file.Cut(0);
  Store(file.at() + kPage, 1);
  EXPECT_EQ(file.at()[8 * kPage], 8) << "what lies in memory already stays";
  EXPECT_EQ(file.at()[kPage], 1);
  EXPECT_EQ(mapping.whole_bytes(), 0u);
}

TEST(Cuttable, WhatComesBackAsZeroesIsStoredTo) {
  const MappedFile file;
  CuttableMapping mapping;
  mapping.Begin(file.at(), kBytes, file.fd());
  file.Cut(0);
  file.Cut(kBytes);
  Store(file.at() + kPage, 1);
  EXPECT_FALSE(mapping.is_cut());
}

TEST(Cuttable, AnotherFileTakesItsPlace) {
  const MappedFile file;
  const MappedFile other;
  CuttableMapping mapping;
  mapping.Begin(file.at(), kBytes, file.fd());
  file.Cut(0);
  Store(file.at(), 1);
  ASSERT_TRUE(mapping.Change(other.fd(), [&] {
    return mmap(file.at(), kBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, other.fd(), 0) !=
           MAP_FAILED;
  }));
  EXPECT_FALSE(mapping.is_cut());
  other.Cut(kPage);
  Store(file.at() + kPage, 1);
  EXPECT_EQ(mapping.whole_bytes(), kPage);
}

TEST(Cuttable, ManyThreadsMeetTheEndAtOnce) {
  for (int round = 0; round < 50; round++) {
    const MappedFile file;
    CuttableMapping mapping;
    mapping.Begin(file.at(), kBytes, file.fd());
    std::vector<std::thread> threads;
    for (uint8_t t = 0; t < 4; t++) {
      threads.emplace_back([&file, t] {
        for (uint64_t page = 0; page < 16; page++) Store(file.at() + page * kPage + t, t + 1);
      });
    }
    file.Cut(round % 8 * kPage);
    for (std::thread& thread : threads) thread.join();
    file.Cut(0);
    Store(file.at(), 1);
    EXPECT_TRUE(mapping.is_cut());
  }
}

// What other faults do is the process's, in a child of its own for each.
class Foreign : public testing::Test {
 protected:
  // As it was before a sanitizer, or as the test wants it.
  static void Handle(void (*with)(int)) { signal(SIGBUS, with); }

  static void Answer(int) { _exit(42); }

  // `then()` comes when ours has answered for a mapping that it goes on to watch.
  static void AfterOurs(void (*before)(int), void (*then)()) {
    Handle(before);
    const MappedFile file;
    CuttableMapping mapping;
    mapping.Begin(file.at(), kBytes, file.fd());
    file.Cut(0);
    Store(file.at(), 1);
    then();
  }

  static void MeetAnother() {
    const MappedFile foreign("foreign");
    foreign.Cut(0);
    Store(foreign.at(), 1);
  }
};

TEST_F(Foreign, AFaultElsewhereEndsTheProcess) {
  EXPECT_EXIT(AfterOurs(SIG_DFL, MeetAnother), testing::KilledBySignal(SIGBUS), "");
}

TEST_F(Foreign, AFaultElsewhereGoesToTheHandlerBefore) {
  EXPECT_EXIT(AfterOurs(Answer, MeetAnother), testing::ExitedWithCode(42), "");
}

TEST_F(Foreign, AFaultThatIsIgnoredEndsTheProcess) {
  EXPECT_EXIT(AfterOurs(SIG_IGN, MeetAnother), testing::KilledBySignal(SIGBUS), "");
}

TEST_F(Foreign, ASignalThatIsSentEndsTheProcess) {
  EXPECT_EXIT(AfterOurs(SIG_DFL,
                        [] {
                          kill(getpid(), SIGBUS);
                          pause();
                        }),
              testing::KilledBySignal(SIGBUS), "");
}

TEST_F(Foreign, ASignalThatIsSentIsIgnoredIfItWas) {
  EXPECT_EXIT(AfterOurs(SIG_IGN,
                        [] {
                          kill(getpid(), SIGBUS);
                          _exit(7);
                        }),
              testing::ExitedWithCode(7), "");
}

TEST_F(Foreign, AMappingThatHasEndedIsNotAnswered) {
  EXPECT_EXIT(
      {
        Handle(Answer);
        const MappedFile file;
        {
          CuttableMapping mapping;
          mapping.Begin(file.at(), kBytes, file.fd());
        }
        file.Cut(0);
        Store(file.at(), 1);
      },
      testing::ExitedWithCode(42), "");
}

}  // namespace
}  // namespace shardlog::test
