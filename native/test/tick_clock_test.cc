#include "platform/tick_clock.h"

#include <gtest/gtest.h>

#include <cmath>

#include "platform/clock.h"

namespace shardlog::platform {
namespace {

// How far an extrapolation may be off.
constexpr uint64_t kToleranceNs = 50'000;

double Floor(uint64_t ns) { return std::floor(static_cast<double>(ns) / 1e6); }

// Between readings of the kernel's clock before and after, however long those take.
void ExpectOneReading(TickClock* clock) {
  const uint64_t before = RealtimeNs();
  const double now = clock->NowMs();
  const uint64_t after = RealtimeNs();
  ASSERT_GE(now, Floor(before - kToleranceNs));
  ASSERT_LE(now, Floor(after + kToleranceNs));
}

TEST(TickClock, TellsTheTimeOfTheKernelsClock) {
  if (!TickClock::IsUsable()) return;
  TickClock clock;
  for (int i = 0; i < 2'000'000; i++) ExpectOneReading(&clock);
}

TEST(TickClock, TellsTheTimeAfterPauses) {
  if (!TickClock::IsUsable()) return;
  TickClock clock;
  for (int i = 0; i < 50; i++) {
    const timespec pause{0, i * 100'000};
    nanosleep(&pause, nullptr);
    for (int again = 0; again < 100; again++) ExpectOneReading(&clock);
  }
}

TEST(TickClock, TellsNanosecondsOfTheSameTime) {
  TickClock clock;
  for (int i = 0; i < 200'000; i++) {
    const uint64_t before = RealtimeNs();
    const uint64_t now = clock.NowNs();
    const uint64_t after = RealtimeNs();
    ASSERT_GE(now, before - kToleranceNs);
    ASSERT_LE(now, after + kToleranceNs);
  }
}

TEST(TickClock, DoesNotGoBackWhileTheKernelsClockDoesNot) {
  if (!TickClock::IsUsable()) return;
  TickClock clock;
  double last = clock.NowMs();
  uint64_t kernel = RealtimeNs();
  for (int i = 0; i < 2'000'000; i++) {
    const double now = clock.NowMs();
    const uint64_t kernel_now = RealtimeNs();
    if (kernel_now >= kernel) {
      ASSERT_GE(now, last);
    }
    last = now;
    kernel = kernel_now;
  }
}

}  // namespace
}  // namespace shardlog::platform
