// Prints what it reads the way the renderer does, one text a line, for
// scripts/compare-with-node.js.
//
//   print_texts numbers|ms|seconds|dates <doubles >lines     "damaged" where there is no text
//   print_texts strings <"u32 length, bytes" ... >lines
#include <cstdio>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "format/block.h"
#include "record/json_text.h"
#include "record/number_text.h"
#include "record/time_text.h"

namespace {

using shardlog::format::Load;
using shardlog::record::TimeForm;

constexpr size_t kMaxBytes = 64;
static_assert(kMaxBytes >= shardlog::record::kNumberBytes);
static_assert(kMaxBytes >= shardlog::record::TimeText::kBytes);

std::vector<uint8_t> ReadAll() {
  std::vector<uint8_t> bytes;
  uint8_t part[1 << 16];
  for (size_t size; (size = fread(part, 1, sizeof part, stdin)) > 0;) {
    bytes.insert(bytes.end(), part, part + size);
  }
  return bytes;
}

void PrintLine(std::string_view text) {
  fwrite(text.data(), 1, text.size(), stdout);
  putchar('\n');
}

template <typename Write>
void PrintDoubles(const std::vector<uint8_t>& bytes, Write write) {
  for (size_t at = 0; at + sizeof(double) <= bytes.size(); at += sizeof(double)) {
    char text[kMaxBytes];
    const char* const end = write(text, Load<double>(bytes.data() + at));
    PrintLine(end == nullptr ? "damaged" : std::string_view(text, end));
  }
}

void PrintTimes(const std::vector<uint8_t>& bytes, TimeForm form) {
  shardlog::record::TimeText time_text;
  PrintDoubles(
      bytes, [&time_text, form](char* to, double time) { return time_text.Write(to, form, time); });
}

void PrintStrings(const std::vector<uint8_t>& bytes) {
  const uint8_t* const end = bytes.data() + bytes.size();
  std::vector<char> text;
  for (const uint8_t* at = bytes.data(); at < end;) {
    const size_t size = Load<uint32_t>(at);
    at += sizeof(uint32_t);
    text.resize(size * shardlog::record::kEscapedBytes + kMaxBytes);
    PrintLine({text.data(), shardlog::record::WriteJsonString(text.data(), at, size, end)});
    at += size;
  }
}

bool Print(std::string_view what, const std::vector<uint8_t>& bytes) {
  if (what == "numbers") {
    PrintDoubles(bytes, shardlog::record::WriteNumber);
  } else if (what == "ms") {
    PrintTimes(bytes, TimeForm::kMilliseconds);
  } else if (what == "seconds") {
    PrintTimes(bytes, TimeForm::kSeconds);
  } else if (what == "dates") {
    PrintTimes(bytes, TimeForm::kIso);
  } else if (what == "strings") {
    PrintStrings(bytes);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && Print(argv[1], ReadAll())) return 0;
  fputs("usage: print_texts numbers|ms|seconds|dates|strings\n", stderr);
  return 1;
}
