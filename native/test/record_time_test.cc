// docs/reference/record-format.md, section 3.1.
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "record/time_text.h"

namespace shardlog::record {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class TimeTexts : public testing::Test {
 protected:
  // "damaged" where there is no text.
  std::string Write(TimeForm form, double time) {
    char text[TimeText::kBytes];
    char* const end = time_text_.Write(text, form, time);
    return end == nullptr ? "damaged" : std::string(text, end);
  }
  std::string Iso(double time) {
    const std::string text = Write(TimeForm::kIso, time);
    const std::string key = ",\"time\":\"";
    return text.starts_with(key) ? text.substr(key.size(), text.size() - key.size() - 1) : text;
  }

  TimeText time_text_;
};

TEST_F(TimeTexts, Form1IsTheMilliseconds) {
  EXPECT_EQ(Write(TimeForm::kMilliseconds, 1790000000123), ",\"time\":1790000000123");
  EXPECT_EQ(Write(TimeForm::kMilliseconds, 0), ",\"time\":0");
  EXPECT_EQ(Write(TimeForm::kMilliseconds, 12.5), ",\"time\":12.5");
  EXPECT_EQ(Write(TimeForm::kMilliseconds, -1e21), ",\"time\":-1e+21");
}

TEST_F(TimeTexts, Form2IsTheSecondsWithHalvesRoundedUp) {
  EXPECT_EQ(Write(TimeForm::kSeconds, 1790000000499), ",\"time\":1790000000");
  EXPECT_EQ(Write(TimeForm::kSeconds, 1790000000500), ",\"time\":1790000001");
  EXPECT_EQ(Write(TimeForm::kSeconds, -500), ",\"time\":0");
  EXPECT_EQ(Write(TimeForm::kSeconds, -501), ",\"time\":-1");
  EXPECT_EQ(Write(TimeForm::kSeconds, -1500), ",\"time\":-1");
  EXPECT_EQ(Write(TimeForm::kSeconds, 499.99999999999994), ",\"time\":0");
}

TEST_F(TimeTexts, Forms1And2PrintNullForWhatIsNotFinite) {
  for (const TimeForm form : {TimeForm::kMilliseconds, TimeForm::kSeconds}) {
    for (const double time : {kNaN, kInfinity, -kInfinity}) {
      EXPECT_EQ(Write(form, time), ",\"time\":null");
    }
  }
}

TEST_F(TimeTexts, Form3IsTheDate) {
  EXPECT_EQ(Write(TimeForm::kIso, 1790000000123), ",\"time\":\"2026-09-21T14:13:20.123Z\"");
  EXPECT_EQ(Iso(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(Iso(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(Iso(951782400000), "2000-02-29T00:00:00.000Z");
  EXPECT_EQ(Iso(4107542399999), "2100-02-28T23:59:59.999Z");
  EXPECT_EQ(Iso(4107542400000), "2100-03-01T00:00:00.000Z");
}

TEST_F(TimeTexts, Form3CutsFractionsOffTowardsZero) {
  EXPECT_EQ(Iso(1.9), "1970-01-01T00:00:00.001Z");
  EXPECT_EQ(Iso(-0.9), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(Iso(-1.9), "1969-12-31T23:59:59.999Z");
}

TEST_F(TimeTexts, Form3HasYearsOfSixDigitsAndASignOutside0To9999) {
  EXPECT_EQ(Iso(253402300799999), "9999-12-31T23:59:59.999Z");
  EXPECT_EQ(Iso(253402300800000), "+010000-01-01T00:00:00.000Z");
  EXPECT_EQ(Iso(-62167219200000), "0000-01-01T00:00:00.000Z");
  EXPECT_EQ(Iso(-62167219200001), "-000001-12-31T23:59:59.999Z");
  EXPECT_EQ(Iso(8.64e15), "+275760-09-13T00:00:00.000Z");
  EXPECT_EQ(Iso(-8.64e15), "-271821-04-20T00:00:00.000Z");
}

TEST_F(TimeTexts, Form3HasNoTextForWhatIsNoDate) {
  for (const double time : {kNaN, kInfinity, -kInfinity, 8.64e15 + 1, -8.64e15 - 1}) {
    EXPECT_EQ(Iso(time), "damaged");
  }
}

TEST_F(TimeTexts, DoesNotDependOnTheTimeBefore) {
  const double times[] = {1790000000123,
                          1790000000124,
                          1790000000999,
                          1790000001000,
                          1790000000001,
                          999,
                          1000,
                          1001,
                          5,
                          -1,
                          kNaN,
                          1790000001000.5,
                          1790000001000,
                          kInfinity,
                          8.64e15,
                          253402300799999,
                          1790000001007,
                          12.5};
  for (const double before : times) {
    for (const double time : times) {
      for (const TimeForm form : {TimeForm::kMilliseconds, TimeForm::kSeconds, TimeForm::kIso}) {
        Write(form, before);
        const std::string after = Write(form, time);
        time_text_ = TimeText();
        EXPECT_EQ(after, Write(form, time)) << before << " then " << time;
      }
    }
  }
}

TEST_F(TimeTexts, KeepsFormsApart) {
  const std::string ms = Write(TimeForm::kMilliseconds, 1790000000123);
  const std::string iso = Write(TimeForm::kIso, 1790000000123);
  EXPECT_NE(ms, iso);
  EXPECT_EQ(Write(TimeForm::kMilliseconds, 1790000000123), ms);
  EXPECT_EQ(Write(TimeForm::kNone, 1790000000123), "damaged");
  EXPECT_EQ(Write(TimeForm::kText, 1790000000123), "damaged");
  EXPECT_EQ(Write(TimeForm::kIso, 1790000000123), iso);
}

}  // namespace
}  // namespace shardlog::record
