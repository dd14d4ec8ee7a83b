// How many lines one core renders in a second of processor time.
//
//   cmake -S native -B build-native/bench -G Ninja -DCMAKE_BUILD_TYPE=Release -DSHARDLOG_TESTS=OFF
//   cmake --build build-native/bench --target record_bench && build-native/bench/record_bench
//   [seconds]
//
// Each case renders 512 segments of 128 KiB, as a generation has them, over and over for `seconds`
// (default 1) and reports the best and the median round. The segments lie in memory that is larger
// than the caches, the chunks that are rendered into are used again and again.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "platform/clock.h"
#include "record/merge.h"
#include "test/support/record_builder.h"

namespace {

using shardlog::record::MessageForm;
using shardlog::record::SegmentView;
using shardlog::record::TimeForm;
using shardlog::test::Bundle;
using shardlog::test::Bytes;
using shardlog::test::Record;
using shardlog::test::Segment;
using shardlog::test::StringDefinition;
using shardlog::test::TemplateDefinition;
using shardlog::test::Values;

constexpr size_t kSegmentBytes = size_t{128} << 10;
constexpr size_t kSegments = 512;
constexpr double kStart = 1.79e12;               // ms
constexpr double kRecordsPerMillisecond = 4000;  // one thread that does nothing but log

struct Case {
  const char* name;
  std::vector<std::string> keys;
  void (*fields)(Values*, std::mt19937_64*);
  bool message_in_record;
};

double Uniform(std::mt19937_64* random, double below) {
  return std::uniform_real_distribution<double>(0, below)(*random);
}

void FourFields(Values* values, std::mt19937_64* random, double ms) {
  const uint64_t r = (*random)();
  const std::string ip = std::to_string(r & 255) + "." + std::to_string(r >> 8 & 255) + "." +
                         std::to_string(r >> 16 & 255) + "." + std::to_string(r >> 24 & 255);
  values->Int(static_cast<int32_t>(r >> 32 & 0xFFFFF)).Short(ip).Bool((r >> 60) != 0).Number(ms);
}

// As a clock of microseconds gives durations, and as subtracting performance.now() does.
void ThreeDecimals(Values* values, std::mt19937_64* random) {
  FourFields(values, random, static_cast<double>((*random)() % 200000) / 1000);
}
void AllDecimals(Values* values, std::mt19937_64* random) {
  FourFields(values, random, Uniform(random, 200));
}
void TenStrings(Values* values, std::mt19937_64* random) {
  for (int i = 0; i < 10; i++) values->Short("value number " + std::to_string((*random)() % 1000));
}

const std::vector<std::string> kFour{",\"userId\":", ",\"ip\":", ",\"ok\":", ",\"ms\":"};
const std::vector<Case> kCases{
    {"4 fields, 3 decimals", kFour, ThreeDecimals, false},
    {"4 fields, all decimals", kFour, AllDecimals, false},
    {"4 fields, message not interned", kFour, ThreeDecimals, true},
    {"10 strings",
     {",\"a\":", ",\"b\":", ",\"c\":", ",\"d\":", ",\"e\":", ",\"f\":", ",\"g\":", ",\"h\":",
      ",\"i\":", ",\"j\":"},
     TenStrings,
     false},
};

enum Id : uint32_t { kTemplate = 1, kBindings };

Bytes MakeRecord(const Case& c, double time, std::mt19937_64* random) {
  Values rest;
  c.fields(&rest, random);
  if (c.message_in_record) {
    rest.Short("user " + std::to_string((*random)() % 100000) + " logged in");
  }
  return Record({kTemplate, kBindings, time}, rest);
}

std::vector<Segment> MakeSegments(const Case& c) {
  const bool inside = c.message_in_record;
  const std::vector<Bytes> definitions{
      TemplateDefinition(
          kTemplate,
          {TimeForm::kMilliseconds, inside ? MessageForm::kInRecord : MessageForm::kFixed,
           "{\"level\":30", inside ? ",\"msg\":" : ",\"msg\":\"user login\"", c.keys}),
      StringDefinition(kBindings, ",\"pid\":4711,\"hostname\":\"web-7\""),
  };
  std::mt19937_64 random(7);
  std::vector<Segment> segments(kSegments);
  double records = 0;
  for (Segment& segment : segments) {
    while (true) {
      const double time =
          kStart + static_cast<double>(static_cast<int64_t>(records++ / kRecordsPerMillisecond));
      const Bytes record = MakeRecord(c, time, &random);
      if (segment.size() + record.size() + 4 > kSegmentBytes) break;
      segment.Add(segment.size() == 0 ? Bundle(definitions, record) : record);
    }
  }
  return segments;
}

struct Round {
  uint64_t lines = 0;
  uint64_t bytes = 0;
  double seconds = 0;
};

Round Render(const std::vector<SegmentView>& views, uint32_t producers, size_t chunk_bytes) {
  std::vector<shardlog::record::ProducerSegments> inputs;
  const size_t each = views.size() / producers;
  for (uint32_t p = 0; p < producers; p++) {
    inputs.push_back({p + 1, std::span(views).subspan(p * each, each)});
  }
  static shardlog::record::LineMerger merger;
  static shardlog::record::LineBuffer buffer;
  Round round;
  const uint64_t start = shardlog::platform::ClockNs(CLOCK_THREAD_CPUTIME_ID);
  MergeLines(&merger, inputs, chunk_bytes, &buffer, [&round](const auto& chunk) {
    round.lines += chunk.lines();
    round.bytes += chunk.size();
  });
  round.seconds =
      static_cast<double>(shardlog::platform::ClockNs(CLOCK_THREAD_CPUTIME_ID) - start) / 1e9;
  if (merger.damaged() != 0) std::abort();
  return round;
}

void Measure(const Case& c, uint32_t producers, size_t chunk_bytes, double seconds) {
  std::vector<Segment> segments = MakeSegments(c);
  std::vector<SegmentView> views;
  for (Segment& segment : segments) views.push_back(segment.view());
  std::vector<double> rates;
  Round round = Render(views, producers, chunk_bytes);
  for (double total = 0; total < seconds; total += round.seconds) {
    round = Render(views, producers, chunk_bytes);
    rates.push_back(static_cast<double>(round.lines) / round.seconds / 1e6);
  }
  std::sort(rates.begin(), rates.end());
  const double median = rates[rates.size() / 2];
  std::printf("%-32s %u producers, chunks of %4zu KiB: %6.2f M lines/s (best %6.2f), %5.0f MB/s\n",
              c.name, producers, chunk_bytes >> 10, median, rates.back(),
              median * static_cast<double>(round.bytes) / static_cast<double>(round.lines));
}

}  // namespace

int main(int argc, char** argv) {
  const double seconds = argc > 1 ? std::atof(argv[1]) : 1;
  constexpr size_t kChunk = size_t{64} << 10;  // as the flusher has it
  for (const Case& c : kCases) Measure(c, 1, kChunk, seconds);
  Measure(kCases[0], 1, size_t{1} << 20, seconds);
  Measure(kCases[0], 4, kChunk, seconds);
  Measure(kCases[0], 16, kChunk, seconds);
  return 0;
}
