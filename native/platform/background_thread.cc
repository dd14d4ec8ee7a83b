#include "platform/background_thread.h"

#include <pthread.h>

#include <csignal>
#include <utility>

namespace shardlog::platform {

std::thread StartBackgroundThread(const char* name, std::function<void()> run) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  // These come of what the thread itself does. Blocked, they would end the process without the
  // host's crash handler, and without what a sandbox does about a system call (SIGSYS).
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) {
    sigdelset(&all, signal);
  }
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(std::move(run));
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace shardlog::platform
