// Which signals reach the threads that the host does not know of.
#include "platform/background_thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <csignal>

namespace shardlog::test {
namespace {

TEST(BackgroundThread, TakesTheSignalsOfItsOwnFaultsAndNoOthers) {
  sigset_t mask;
  sigemptyset(&mask);
  platform::StartBackgroundThread("test", [&] {
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  }).join();
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    EXPECT_EQ(sigismember(&mask, signal), 0) << signal;
  }
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPROF, SIGCHLD, SIGABRT}) {
    EXPECT_EQ(sigismember(&mask, signal), 1) << signal;
  }
}

}  // namespace
}  // namespace shardlog::test
