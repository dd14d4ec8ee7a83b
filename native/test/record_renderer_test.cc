// docs/reference/record-format.md: K1 to K3 and section 3, a test for each rule. The numbers,
// strings and times have tests of their own.
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "record/renderer.h"
#include "support/record_builder.h"

namespace shardlog::record {
namespace {

using test::Bundle;
using test::Bytes;
using test::Record;
using test::Segment;
using test::StringDefinition;
using test::Template;
using test::TemplateDefinition;
using test::TextLine;
using test::Values;

enum Id : uint32_t { kBare = 1, kFields, kMessageInside, kEverythingInside, kBindings, kUndefined };

const std::string kHead = "{\"level\":30";
const std::vector<std::string> kKeys{",\"userId\":", ",\"ip\":"};

std::vector<Bytes> Everything() {
  return {TemplateDefinition(kBare, {.head = kHead}),
          TemplateDefinition(kFields, {TimeForm::kMilliseconds, MessageForm::kFixed, kHead,
                                       ",\"msg\":\"user login\"", kKeys}),
          TemplateDefinition(kMessageInside,
                             {TimeForm::kNone, MessageForm::kInRecord, kHead, ",\"msg\":", {}}),
          TemplateDefinition(kEverythingInside,
                             {TimeForm::kText, MessageForm::kInRecord, kHead, ",\"msg\":", kKeys}),
          StringDefinition(kBindings, ",\"pid\":71,\"hostname\":\"a\"")};
}

const Values kTwo = [] {
  Values values;
  values.Int(7).Short("::1");
  return values;
}();

RecordHeader Header() { return {kFields, kBindings, 12}; }

// A record without fields.
RecordHeader Bare() { return {kBare, kNoId, 12}; }

struct Rendered {
  std::string text;
  uint64_t damaged;
  std::vector<double> times;
};

Rendered Render(Segment segment, LineBuffer* out) {
  SegmentRenderer renderer;
  const SegmentView view = segment.view();
  renderer.Open(view.entries, view.valid);
  Rendered rendered{"", 0, {}};
  while (renderer.Next()) {
    if (renderer.Append(out)) rendered.times.push_back(renderer.time());
  }
  rendered.text = {out->data(), out->size()};
  rendered.damaged = renderer.damaged();
  EXPECT_EQ(out->lines(), rendered.times.size());
  return rendered;
}

Rendered Render(const Segment& segment) {
  LineBuffer out;
  return Render(segment, &out);
}

// The line of a record that knows Everything(); "damaged" if there is none. A record before and one
// behind it are rendered in any case.
std::string Line(const Bytes& record) {
  const Rendered rendered = Render(
      Segment().Add(Bundle(Everything(), Record(Bare(), {}))).Add(record).Add(Record(Bare(), {})));
  const std::string bare = "{\"level\":30}\n";
  EXPECT_TRUE(rendered.text.starts_with(bare) && rendered.text.ends_with(bare)) << rendered.text;
  if (rendered.text.size() == 2 * bare.size()) {
    EXPECT_EQ(rendered.damaged, 1u);
    return "damaged";
  }
  EXPECT_EQ(rendered.damaged, 0u);
  return rendered.text.substr(bare.size(), rendered.text.size() - 2 * bare.size());
}

// The line of a record that is alone with the definition of its template.
std::string LineOf(const Template& what, const Bytes& rest, double time = 12) {
  const Bytes record = Record({1, kNoId, time}, rest);
  const Rendered rendered = Render(Segment().Add(Bundle({TemplateDefinition(1, what)}, record)));
  EXPECT_EQ(rendered.damaged, rendered.text.empty() ? 1u : 0u);
  return rendered.text.empty() ? "damaged" : rendered.text;
}

std::string LineOfValue(const Values& value) {
  return Line(Record({kMessageInside, kNoId, 12}, value));
}

TEST(Payloads, K1_TextIsWrittenVerbatim) {
  const Rendered rendered =
      Render(Segment().Add(TextLine(5, "{\"a\":\"\x01\"}\n")).Add(TextLine(4, "b\n")));
  EXPECT_EQ(rendered.text, "{\"a\":\"\x01\"}\nb\n");
  EXPECT_EQ(rendered.times, (std::vector<double>{5, 4}));
}

TEST(Payloads, K2_DefinitionsHoldFromTheirRecordToTheEndOfTheSegment) {
  const RecordHeader header{kBare, kBindings, 12};
  const Rendered rendered =
      Render(Segment()
                 .Add(Record(header, {}))
                 .Add(Bundle({TemplateDefinition(kBare, {}), StringDefinition(kBindings, "1")},
                             Record(header, {})))
                 .Add(Record(header, {}))
                 .Add(Bundle({StringDefinition(kBindings, "2")}, Record(header, {})))
                 .Add(Bundle({}, Record(header, {}))));
  EXPECT_EQ(rendered.text, "{1}\n{1}\n{2}\n{2}\n");
  EXPECT_EQ(rendered.damaged, 1u);
}

TEST(Payloads, K2_DefinitionsOfOneSegmentDoNotHoldInTheNext) {
  Segment first = Segment().Add(Bundle(Everything(), Record(Bare(), {})));
  Segment second = Segment().Add(Record(Bare(), {}));
  SegmentRenderer renderer;
  LineBuffer out;
  for (Segment* segment : {&first, &second}) {
    const SegmentView view = segment->view();
    renderer.Open(view.entries, view.valid);
    while (renderer.Next()) renderer.Append(&out);
  }
  EXPECT_EQ(out.lines(), 1u);
  EXPECT_EQ(renderer.damaged(), 1u);
}

TEST(Payloads, K3_AnUnknownKindIsDamage) {
  for (const int kind : {0, 4, 255}) {
    EXPECT_EQ(Line(Bytes().Add(static_cast<uint8_t>(kind)).Add(Record(Header(), kTwo))), "damaged");
  }
}

TEST(Payloads, K3_ATextWithoutALineIsDamage) {
  EXPECT_EQ(Line(TextLine(1, "")), "damaged");
  EXPECT_EQ(Line(Bytes().Add(static_cast<uint8_t>(Kind::kText))), "damaged");
}

TEST(Payloads, K3_ARecordCutOffAnywhereIsDamage) {
  Bytes rest = kTwo;
  rest.Add(Values().Json("t")).Add(Values().Number(1));
  const Bytes whole = Record({kEverythingInside, kBindings, 12}, rest);
  EXPECT_NE(Line(whole), "damaged");
  for (size_t size = 1; size < whole.size(); size++) {
    EXPECT_EQ(Line(Bytes().Add(whole.view().substr(0, size))), "damaged") << size;
  }
}

TEST(Payloads, K3_ABundleCutOffAnywhereIsDamage) {
  const Bytes whole = Bundle({StringDefinition(99, "x")}, Record(Header(), kTwo));
  for (size_t size = 1; size < whole.size(); size++) {
    EXPECT_EQ(Line(Bytes().Add(whole.view().substr(0, size))), "damaged") << size;
  }
}

TEST(Payloads, K3_BytesLeftOverAreDamage) {
  EXPECT_EQ(Line(Record(Header(), kTwo).Add(uint8_t{0})), "damaged");
  EXPECT_EQ(LineOfValue(Values().Null().Absent()), "damaged");
}

TEST(Payloads, K3_IdsThatAreNotDefinedOrOfTheOtherKindAreDamage) {
  for (const uint32_t id : {uint32_t{kNoId}, uint32_t{kUndefined}, uint32_t{kBindings}}) {
    EXPECT_EQ(Line(Record({id, kNoId, 12}, {})), "damaged") << id;
  }
  for (const uint32_t id : {uint32_t{kUndefined}, uint32_t{kFields}, 0xFFFFFFFFu}) {
    EXPECT_EQ(Line(Record({kFields, id, 12}, kTwo)), "damaged") << id;
  }
}

TEST(Payloads, K3_ABundleHoldsARecordAndNothingElse) {
  EXPECT_EQ(Line(Bundle({}, TextLine(1, "x\n"))), "damaged");
  EXPECT_EQ(Line(Bundle({}, Bundle({}, Record(Header(), kTwo)))), "damaged");
  EXPECT_EQ(Line(Bundle({}, {})), "damaged");
}

TEST(Payloads, K3_WhatADamagedBundleDefinedBeforeTheDamageHolds) {
  const Rendered rendered =
      Render(Segment()
                 .Add(Bundle({TemplateDefinition(kBare, {.head = "{1"}), StringDefinition(0, "")},
                             Record(Bare(), {})))
                 .Add(Record(Bare(), {})));
  EXPECT_EQ(rendered.text, "{1}\n");
  EXPECT_EQ(rendered.damaged, 1u);
}

TEST(Payloads, K3_ALengthThatBreaksR2IsDamageAndEndsTheSegment) {
  for (const uint32_t length : {0u, 30u, 0xFFFFFFFFu}) {
    const Rendered rendered = Render(
        Segment().Add(TextLine(1, "a\n")).AddRaw(Bytes().Add(length)).Add(TextLine(1, "b\n")));
    EXPECT_EQ(rendered.text, "a\n");
    EXPECT_EQ(rendered.damaged, 1u);
  }
  EXPECT_EQ(Render(Segment().AddRaw(Bytes().Add(uint16_t{1}))).damaged, 1u);
}

TEST(Records, HaveTheirPartsInOrder) {
  EXPECT_EQ(Line(Record(Header(), kTwo)),
            "{\"level\":30,\"time\":12,\"pid\":71,\"hostname\":\"a\",\"userId\":7,\"ip\":\"::1\","
            "\"msg\":\"user login\"}\n");
}

TEST(Records, LeaveOutBindingsAndMessageWhereThereAreNone) {
  EXPECT_EQ(Line(Record(Bare(), {})), "{\"level\":30}\n");
  EXPECT_EQ(LineOf({}, {}), "{}\n");
  EXPECT_EQ(LineOf({.message_form = MessageForm::kFixed}, {}), "{}\n");
}

TEST(Records, LeaveOutAbsentValuesAndTheirKeys) {
  const Template what{TimeForm::kMilliseconds, MessageForm::kInRecord, kHead, ",\"msg\":", kKeys};
  EXPECT_EQ(LineOf(what, Values().Absent().Null().Absent()),
            "{\"level\":30,\"time\":12,\"ip\":null}\n");
}

TEST(Records, HaveAsManyValuesAsTheirTemplateHasKeys) {
  EXPECT_EQ(Line(Record(Header(), {})), "damaged");
  EXPECT_EQ(Line(Record(Header(), Values().Null())), "damaged");
  EXPECT_EQ(Line(Record(Header(), Values().Null().Null().Null())), "damaged");
  EXPECT_EQ(Line(Record(Bare(), Values().Null())), "damaged");
}

TEST(Records, MayHoldTheirMessage) {
  EXPECT_EQ(LineOfValue(Values().Short("a\"b")), "{\"level\":30,\"msg\":\"a\\\"b\"}\n");
  EXPECT_EQ(LineOfValue({}), "damaged");
}

TEST(Records, PrintTheTimeByItsForm) {
  const std::pair<TimeForm, std::string> kForms[] = {
      {TimeForm::kNone, ""},
      {TimeForm::kMilliseconds, ",\"time\":1790000000501"},
      {TimeForm::kSeconds, ",\"time\":1790000001"},
      {TimeForm::kIso, ",\"time\":\"2026-09-21T14:13:20.501Z\""}};
  for (const auto& [form, text] : kForms) {
    EXPECT_EQ(LineOf({.time_form = form, .head = kHead}, {}, 1790000000501), kHead + text + "}\n");
  }
}

TEST(Records, MayHoldTheTextOfTheirTime) {
  const Template what{TimeForm::kText, MessageForm::kFixed, "{\"a\":1", ",\"msg\":2", kKeys};
  const std::string text = ",\"when\":\"\n\"";
  for (const Values& time : {Values().Short(text), Values().String(text), Values().Json(text)}) {
    EXPECT_EQ(LineOf(what, Bytes(kTwo).Add(time)),
              "{\"a\":1" + text + ",\"userId\":7,\"ip\":\"::1\",\"msg\":2}\n");
  }
  EXPECT_EQ(LineOf(what, Bytes(kTwo).Add(Values().Int(1))), "damaged");
  EXPECT_EQ(LineOf(what, Bytes(kTwo).Add(Values().Absent())), "damaged");
  EXPECT_EQ(LineOf(what, kTwo), "damaged");
}

TEST(Records, MayHoldTheTextOfTheirTimeAndTheirMessage) {
  const Values time_and_message = Values().Short(",\"t\":1").String("hi\n");
  EXPECT_EQ(Line(Record({kEverythingInside, kBindings, 12}, Bytes(kTwo).Add(time_and_message))),
            "{\"level\":30,\"t\":1,\"pid\":71,\"hostname\":\"a\",\"userId\":7,\"ip\":\"::1\","
            "\"msg\":\"hi\\n\"}\n");
}

TEST(Records, AreDamagedByATemplateThatBreaksThePage) {
  EXPECT_EQ(LineOf({.time_form = static_cast<TimeForm>(5)}, {}), "damaged");
  EXPECT_EQ(LineOf({.message_form = static_cast<MessageForm>(3)}, Values().Null()), "damaged");
  EXPECT_EQ(LineOf({.message = ",\"msg\":"}, {}), "damaged");
}

TEST(Records, AreDamagedByATimeThatCannotBePrinted) {
  const Template what{.time_form = TimeForm::kIso};
  EXPECT_EQ(LineOf(what, {}, 8.64e15 + 1), "damaged");
  EXPECT_NE(LineOf(what, {}, 8.64e15), "damaged");
}

TEST(AValue, IsPrintedByItsTag) {
  const auto line = [](const std::string& value) {
    return "{\"level\":30,\"msg\":" + value + "}\n";
  };
  EXPECT_EQ(LineOfValue(Values().Null()), line("null"));
  EXPECT_EQ(LineOfValue(Values().Bool(false)), line("false"));
  EXPECT_EQ(LineOfValue(Values().Bool(true)), line("true"));
  EXPECT_EQ(LineOfValue(Values().Int(-2147483647 - 1)), line("-2147483648"));
  EXPECT_EQ(LineOfValue(Values().Number(1e21)), line("1e+21"));
  EXPECT_EQ(LineOfValue(Values().Short("")), line("\"\""));
  EXPECT_EQ(LineOfValue(Values().Short(std::string(255, '\\'))),
            line('"' + std::string(510, '\\') + '"'));
  EXPECT_EQ(LineOfValue(Values().String("\n")), line("\"\\n\""));
  EXPECT_EQ(LineOfValue(Values().Json("{\"a\":[1,\n2]}")), line("{\"a\":[1,\n2]}"));
  for (const int tag : {9, 255}) {
    Values value;
    value.Add(static_cast<uint8_t>(tag));
    EXPECT_EQ(LineOfValue(value), "damaged");
  }
}

TEST(AValue, FitsWhateverItsBytesBecome) {
  for (const size_t size : {100, 4000, 4096, 5000, 300000}) {
    const std::string plain(size, 'x');
    const std::string controls(size, '\x01');
    std::string escaped;
    for (size_t i = 0; i < size; i++) escaped += "\\u0001";
    EXPECT_EQ(LineOfValue(Values().String(plain)), "{\"level\":30,\"msg\":\"" + plain + "\"}\n");
    EXPECT_EQ(LineOfValue(Values().Json(controls)), "{\"level\":30,\"msg\":" + controls + "}\n");
    EXPECT_EQ(LineOfValue(Values().String(controls)),
              "{\"level\":30,\"msg\":\"" + escaped + "\"}\n");
  }
}

TEST(AValue, FitsAmongManyOthers) {
  const std::pair<Values, std::string> kLongest[] = {
      {Values().Number(-1.2345678901234567e-308), "-1.2345678901234567e-308"},
      {Values().Int(INT32_MIN), "-2147483648"},
      {Values().Bool(false), "false"}};
  constexpr int kCount = 100000;
  Template what;
  what.keys.assign(kCount, ",");
  for (const auto& [value, text] : kLongest) {
    Values values;
    std::string expected = "{";
    for (int i = 0; i < kCount; i++) {
      values.Add(value);
      expected += "," + text;
    }
    EXPECT_EQ(LineOf(what, values), expected + "}\n");
  }
}

TEST(Lines, AreEntriesIfTheBufferFramesThem) {
  LineBuffer out(Framing::kEntries);
  const Rendered rendered =
      Render(Segment().Add(TextLine(1, "a\n")).Add(Bundle(Everything(), Record(Bare(), {}))), &out);
  const std::string bare = "{\"level\":30}\n";
  const Bytes expected =
      Bytes().Add(uint32_t{2}).Add("a\n").Add(static_cast<uint32_t>(bare.size())).Add(bare);
  EXPECT_EQ(rendered.text, expected.view());
}

TEST(Lines, AreTheSameWhateverFollowsThemInMemory) {
  // The last record's texts end where the segment does, the first one's do not.
  const Bytes record = Record(Header(), kTwo);
  const Rendered rendered =
      Render(Segment().Add(Bundle(Everything(), record)).Add(record).Add(record));
  const size_t third = rendered.text.size() / 3;
  EXPECT_EQ(rendered.text.substr(0, third), rendered.text.substr(third, third));
  EXPECT_EQ(rendered.text.substr(0, third), rendered.text.substr(2 * third));
}

TEST(Damage, OfAnyByteNeverLeadsOutsideAndEveryPayloadIsALineOrCounted) {
  Bytes rest = kTwo;
  rest.Add(Values().Json("1")).Add(Values().String("some text"));
  Segment sound = Segment().Add(Bundle(Everything(), Record({kEverythingInside, 0, 12}, rest)));
  sound.Add(Record(Header(), kTwo)).Add(TextLine(1, "x\n"));
  std::mt19937 random(4);
  for (int round = 0; round < 20000; round++) {
    const SegmentView view = sound.view();
    std::vector<uint8_t> bytes(view.entries, view.entries + view.valid);
    for (int i = 0; i <= round % 3; i++) bytes[random() % bytes.size()] = random() & 255;
    SegmentRenderer renderer;
    renderer.Open(bytes.data(), bytes.size());
    LineBuffer out;
    while (renderer.Next()) renderer.Append(&out);
    ASSERT_GE(out.lines() + renderer.damaged(), 1u);
  }
}

}  // namespace
}  // namespace shardlog::record
