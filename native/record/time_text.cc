#include "record/time_text.h"

#include <bit>
#include <cmath>
#include <cstring>

#include "record/copy_text.h"
#include "record/number_text.h"

namespace shardlog::record {
namespace {

constexpr double kMaxDate = 8.64e15;  // ms, ECMA-262, 21.4.1.1
constexpr int64_t kMillisPerDay = 86'400'000;

// As Math.round: halves go up.
double Round(double value) {
  const double below = std::floor(value);
  return value - below >= 0.5 ? below + 1 : below;
}

struct CivilDate {
  int64_t year;
  uint32_t month;
  uint32_t day;
};

// The proleptic Gregorian date of a day counted from 1970-01-01. Years are taken to begin in March,
// so that the leap day is the last one, and counted in eras of 400 years, which are all alike.
CivilDate DateOfDay(int64_t days) {
  constexpr int64_t kEraDays = 146097;
  constexpr int64_t kDaysToEpoch = 719468;  // from 0000-03-01
  days += kDaysToEpoch;
  const int64_t era = (days >= 0 ? days : days - (kEraDays - 1)) / kEraDays;
  const auto day_of_era = static_cast<uint32_t>(days - era * kEraDays);
  const uint32_t leap_days = day_of_era / 1460 - day_of_era / 36524 + day_of_era / 146096;
  const uint32_t year_of_era = (day_of_era - leap_days) / 365;
  const uint32_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const uint32_t march_month = (5 * day_of_year + 2) / 153;
  const uint32_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
  const uint32_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  return {era * 400 + year_of_era + (month <= 2 ? 1 : 0), month, day};
}

// Four digits, or a sign and six.
char* WriteYear(char* to, int64_t year) {
  if (year >= 0 && year <= 9999) {
    WritePadded(to, static_cast<uint32_t>(year), 4);
    return to + 4;
  }
  *to = year < 0 ? '-' : '+';
  WritePadded(to + 1, static_cast<uint32_t>(year < 0 ? -year : year), 6);
  return to + 7;
}

char* WriteField(char* to, char before, uint32_t value) {
  *to = before;
  WritePadded(to + 1, value, 2);
  return to + 3;
}

// YYYY-MM-DDTHH:mm:ss.sssZ
char* WriteIso(char* to, int64_t ms) {
  int64_t days = ms / kMillisPerDay;
  if (ms % kMillisPerDay < 0) days--;
  const auto in_day = static_cast<uint32_t>(ms - days * kMillisPerDay);
  const CivilDate date = DateOfDay(days);
  to = WriteYear(to, date.year);
  to = WriteField(to, '-', date.month);
  to = WriteField(to, '-', date.day);
  to = WriteField(to, 'T', in_day / 3'600'000);
  to = WriteField(to, ':', in_day / 60'000 % 60);
  to = WriteField(to, ':', in_day / 1000 % 60);
  *to++ = '.';
  WritePadded(to, in_day % 1000, 3);
  to[3] = 'Z';
  return to + 4;
}

// Whether the text of `time` ends in its milliseconds as three digits, behind those of the second.
bool HasSecond(double time) {
  return time >= 1000 && time <= kMaxDate &&
         static_cast<double>(static_cast<int64_t>(time)) == time;
}

}  // namespace

char* TimeText::Write(char* to, TimeForm form, double time) {
  const auto bits = std::bit_cast<uint64_t>(time);
  if ((bits != time_bits_ || form != form_) && !Make(form, time)) return nullptr;
  std::memcpy(to, text_.data(), kBytes);
  return to + size_;
}

bool TimeText::Make(TimeForm form, double time) {
  const int64_t ms = HasSecond(time) ? static_cast<int64_t>(time) : -1;
  if (form == form_ && ms >= 0 && ms / 1000 == second_) {
    WritePadded(text_.data() + millis_at_, static_cast<uint32_t>(ms % 1000), 3);
    time_bits_ = std::bit_cast<uint64_t>(time);
    return true;
  }
  form_ = TimeForm::kNone;
  second_ = -1;
  char* const start = text_.data();
  char* end = CopyLiteral(start, ",\"time\":");
  switch (form) {
    case TimeForm::kMilliseconds:
      end = WriteNumber(end, time);
      if (ms >= 0) second_ = ms / 1000;
      millis_at_ = static_cast<size_t>(end - start) - 3;
      break;
    case TimeForm::kSeconds:
      end = WriteNumber(end, Round(time / 1000));
      break;
    case TimeForm::kIso:
      if (!(std::fabs(time) <= kMaxDate)) return false;  // NaN neither
      *end++ = '"';
      end = WriteIso(end, static_cast<int64_t>(time));
      *end++ = '"';
      if (ms >= 0) second_ = ms / 1000;
      millis_at_ = static_cast<size_t>(end - start) - 5;
      break;
    default:
      return false;
  }
  size_ = static_cast<size_t>(end - start);
  form_ = form;
  time_bits_ = std::bit_cast<uint64_t>(time);
  return true;
}

}  // namespace shardlog::record
