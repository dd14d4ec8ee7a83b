// Stores into pages of which only one is writable at a time, as on a full file system that writes
// one back while it looks for room for another: a store that needs both would never end.
#include "engine/store_in_pages.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "engine/producer.h"
#include "support/rig.h"

namespace shardlog {
namespace {

using engine::JsControl;
using engine::kPageBytes;
using engine::Producer;
using engine::Renewal;

constexpr int kMaxFaults = 10'000;

uint8_t* pages = nullptr;
size_t size = 0;
int faults = 0;
struct sigaction before;

// Makes the page that is stored to writable, and no other.
void OnFault(int signal, siginfo_t* info, void*) {
  auto* const address = static_cast<uint8_t*>(info->si_addr);
  const bool is_ours = address >= pages && address < pages + size && ++faults < kMaxFaults;
  if (!is_ours) {
    sigaction(signal, &before, nullptr);  // The store is made again, and is a fault as any other.
    return;
  }
  mprotect(pages, size, PROT_READ);
  mprotect(address - reinterpret_cast<uintptr_t>(address) % kPageBytes, kPageBytes,
           PROT_READ | PROT_WRITE);
}

// While it lives, one page at the most is writable.
class OneAtATime {
 public:
  OneAtATime(uint8_t* start, size_t bytes) {
    pages = start;
    size = bytes;
    faults = 0;
    struct sigaction handler {};
    handler.sa_sigaction = OnFault;
    handler.sa_flags = SA_SIGINFO | SA_NODEFER;
    EXPECT_EQ(sigaction(SIGSEGV, &handler, &before), 0);
    EXPECT_EQ(mprotect(start, bytes, PROT_READ), 0);
  }
  ~OneAtATime() {
    mprotect(pages, size, PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &before, nullptr);
  }
};

std::string Letters(size_t length) {
  std::string text;
  for (size_t i = 0; i < length; i++) text.push_back(static_cast<char>('a' + i % 26));
  return text;
}

TEST(StoreInPages, StoresWhateverLiesAcrossTheirEdges) {
  constexpr size_t kBytes = 4 * kPageBytes;
  auto* const memory = static_cast<uint8_t*>(std::aligned_alloc(kPageBytes, kBytes));
  const std::string text = Letters(2 * kPageBytes + 10);
  for (const size_t length : {size_t{0}, size_t{1}, size_t{4}, size_t{300}, text.size()}) {
    for (size_t begin = kPageBytes - 5; begin <= kPageBytes + 1; begin++) {
      {
        const OneAtATime protection(memory, kBytes);
        engine::StoreInPages(memory + begin, text.data(), length);
      }
      EXPECT_EQ(std::memcmp(memory + begin, text.data(), length), 0) << begin << " " << length;
    }
  }
  std::free(memory);
}

// A rig whose leases have several pages.
class InPages : public testing::Test {
 protected:
  InPages() { rig_.signals().longest_run = 8; }

  // The shard's pages.
  uint8_t* start() { return rig_.arena().shard_data(0, 0); }
  size_t bytes() { return rig_.geometry().shard_bytes(); }

  test::Rig rig_;
};

TEST_F(InPages, EntriesAreAppended) {
  const auto producer = rig_.NewProducer(true);
  std::vector<std::string> said;
  {
    const OneAtATime protection(start(), bytes());
    for (size_t i = 0; i < 60; i++) {
      said.push_back(Letters(1 + i * 7));
      ASSERT_TRUE(producer->Append(said.back().data(), said.back().size()));
    }
    said.push_back(Letters(2 * kPageBytes));
    ASSERT_TRUE(producer->Append(said.back().data(), said.back().size()));
  }
  rig_.Flush();
  EXPECT_EQ(rig_.Log().Entries(), said);
}

TEST_F(InPages, NobodyElseWritesIntoTheArena) {
  const auto producer = rig_.NewProducer(true);
  ASSERT_TRUE(producer->Append("x", 1));
  EXPECT_EQ(producer->Room().bytes, 0u);
  EXPECT_FALSE(producer->direct_route_allowed());
  EXPECT_EQ(producer->draft(), nullptr);
}

// As JavaScript does, which writes each record behind the last one of its lease.
TEST_F(InPages, RecordsAreCopiedFromADraft) {
  const auto producer = rig_.NewProducer(true, engine::Content::kRecords);
  const auto* words = reinterpret_cast<const int32_t*>(rig_.arena().control());
  int32_t* const lease = producer->js_words();
  ASSERT_TRUE(producer->direct_route_allowed());
  ASSERT_EQ(producer->Renew(1), Renewal::kRenewed);
  std::vector<std::string> said;
  {
    const OneAtATime protection(start(), bytes());
    for (size_t i = 0; i < 60; i++) {
      said.push_back(Letters(1 + i * 7));
      const int32_t at = words[lease[JsControl::kWord]] + 4;
      EXPECT_EQ(lease[JsControl::kBuffer], 0);
      lease[JsControl::kEnd] = at;
      ASSERT_EQ(producer->WritePlace().at,
                producer->draft()->data() + lease[JsControl::kStart] + at);
      std::memcpy(producer->WritePlace().at, said.back().data(), said.back().size());
      lease[JsControl::kEnd] = at + static_cast<int32_t>(said.back().size());
      producer->Publish();
      ASSERT_EQ(lease[JsControl::kEnd], 0) << i;
    }
  }
  EXPECT_EQ(producer->accepted(), said.size());
  rig_.Flush();
  EXPECT_EQ(rig_.Log().Entries(), said);
}

TEST_F(InPages, ADraftIsToldTheTime) {
  const auto producer = rig_.NewProducer(true, engine::Content::kRecords);
  int32_t* const lease = producer->js_words();
  ASSERT_EQ(producer->Renew(1), Renewal::kRenewed);
  lease[JsControl::kEnd] = 12 + 20;
  lease[JsControl::kTime] = 12 + 3;
  producer->Publish();
  ASSERT_EQ(lease[JsControl::kEnd], 0);
  const uint8_t* entry = rig_.arena().segment(0, 0, 0) + 12;
  EXPECT_GT(format::Load<double>(entry + 3), 1e12);
}

}  // namespace
}  // namespace shardlog
