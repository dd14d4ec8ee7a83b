#include "support/first_store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <utility>

namespace shardlog::test {
namespace {

uint8_t* pages = nullptr;
size_t size = 0;
std::function<void()> action;
std::atomic<bool> has_come{false};
struct sigaction before;

// The fault is synchronous: the thread stands at its store, inside no function of a library.
void OnFault(int signal, siginfo_t* info, void*) {
  const auto* const address = static_cast<const uint8_t*>(info->si_addr);
  const bool is_ours = address >= pages && address < pages + size && !has_come;
  if (!is_ours) {
    sigaction(signal, &before, nullptr);  // The store is made again, and is a fault as any other.
    return;
  }
  has_come = true;
  mprotect(pages, size, PROT_READ | PROT_WRITE);
  action();
}

}  // namespace

FirstStore::FirstStore(void* start, size_t bytes, std::function<void()> at) {
  pages = static_cast<uint8_t*>(start);
  size = bytes;
  action = std::move(at);
  has_come = false;
  struct sigaction handler {};
  handler.sa_sigaction = OnFault;
  handler.sa_flags = SA_SIGINFO | SA_NODEFER;
  EXPECT_EQ(sigaction(SIGSEGV, &handler, &before), 0);
  EXPECT_EQ(mprotect(start, bytes, PROT_READ), 0);
}

FirstStore::~FirstStore() {
  mprotect(pages, size, PROT_READ | PROT_WRITE);
  sigaction(SIGSEGV, &before, nullptr);
  action = nullptr;
}

bool FirstStore::HasCome() { return has_come; }

}  // namespace shardlog::test
