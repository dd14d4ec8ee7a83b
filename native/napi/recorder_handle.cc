#include "napi/recorder_handle.h"

#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "napi/direct_calls.h"
#include "napi/env_state.h"
#include "napi/errors.h"
#include "napi/external_buffer.h"
#include "recorder/ring_image.h"
#include "recorder/ring_registry.h"

namespace shardlog::napi {
namespace {

using recorder::RingProducer;
using Shared = std::shared_ptr<RecorderHandle>;
using Keeper = Napi::External<Shared>;
using Info = Napi::CallbackInfo;

Napi::Value Open(const Info& info) {
  const Napi::Env env = info.Env();
  const auto given = info[0].As<Napi::Object>();
  recorder::RingOptions options;
  options.path = given.Get("path").As<Napi::String>().Utf8Value();
  options.segments = given.Get("segments").As<Napi::Number>().Uint32Value();
  options.about = given.Get("about").As<Napi::String>().Utf8Value();
  options.kind = given.Get("kind").As<Napi::String>().Utf8Value();
  const uint32_t thread = given.Get("thread").As<Napi::Number>().Uint32Value();
  recorder::Kept kept;
  kept.least_level = given.Get("leastLevel").As<Napi::Number>().DoubleValue();
  kept.most_fields = given.Get("mostFields").As<Napi::Number>().Uint32Value();
  kept.message_key = given.Get("messageKey").As<Napi::String>().Utf8Value();
  if (options.segments < recorder::kLeastSegments || options.segments > recorder::kMostSegments) {
    throw Napi::RangeError::New(env, "number of segments");
  }
  try {
    return std::make_shared<RecorderHandle>(env, options, thread, kept)->ToObject(env);
  } catch (const engine::Error& error) {
    throw MakeError(env, error);
  }
}

Napi::Value StatsValue(Napi::Env env, const recorder::Ring& ring) {
  const recorder::RingStats stats = ring.Stats();
  Napi::Object value = Napi::Object::New(env);
  const auto number = [&](const char* name, uint64_t n) {
    value.Set(name, static_cast<double>(n));
  };
  number("recorded", stats.recorded);
  number("overwritten", stats.overwritten);
  number("drained", stats.drained);
  number("dropped", stats.dropped);
  number("truncated", stats.truncated);
  number("usedBytes", stats.used_bytes);
  number("bytes", stats.bytes);
  number("producers", stats.producers);
  return value;
}

Napi::Value ImageValue(Napi::Env env, const recorder::Ring& ring) {
  // Its pages are touched where there is something to copy.
  const auto bytes = static_cast<size_t>(ring.file_bytes());
  Napi::ArrayBuffer image = Napi::ArrayBuffer::New(env, bytes);
  recorder::CopyImage(ring, static_cast<uint8_t*>(image.Data()));
  return image;
}

// Numbers in threes: sequence, end, events.
std::vector<recorder::DrainedRun> RunsFrom(const Napi::Float64Array& numbers) {
  std::vector<recorder::DrainedRun> runs;
  for (size_t i = 0; i + 2 < numbers.ElementLength(); i += 3) {
    runs.push_back({static_cast<uint64_t>(numbers[i]), static_cast<uint32_t>(numbers[i + 1]),
                    static_cast<uint32_t>(numbers[i + 2])});
  }
  return runs;
}

// publishBeside(): as publish, of a record that the lane's log has, too.
napi_value PublishBeside(napi_env env, napi_callback_info info) {
  void* data;
  if (napi_get_cb_info(env, info, nullptr, nullptr, nullptr, &data) == napi_ok) {
    static_cast<RecorderHandle*>(data)->PublishBeside();
  }
  return nullptr;
}

// publishTextsBeside(...texts): as publishTexts of that log and publishBeside.
napi_value PublishTextsBeside(napi_env env, napi_callback_info info) {
  Texts texts;
  if (auto* handle = static_cast<RecorderHandle*>(texts.Take(env, info))) {
    if (texts.WriteTo(env, handle->log())) handle->PublishBeside();
  }
  return nullptr;
}

template <typename Body>
void Add(Napi::Object* exports, const char* name, Body body) {
  const auto call = [body](const Info& info) -> Napi::Value {
    if (!info[0].IsExternal()) throw Napi::TypeError::New(info.Env(), "not the keeper of a handle");
    return body(info.Env(), *info[0].As<Keeper>().Data(), info);
  };
  exports->Set(name, Napi::Function::New(exports->Env(), call, name));
}

}  // namespace

void RecorderHandle::Export(Napi::Object* exports) {
  exports->Set("openRecorder", Napi::Function::New(exports->Env(), Open, "openRecorder"));
  Add(exports, "recorderStats",
      [](Napi::Env env, const Shared& h, const Info&) { return StatsValue(env, *h->ring_); });
  Add(exports, "recorderImage",
      [](Napi::Env env, const Shared& h, const Info&) { return ImageValue(env, *h->ring_); });
  Add(exports, "recorderBuffer", [](Napi::Env env, const Shared& h, const Info&) {
    recorder::Ring& ring = *h->ring_;
    return Napi::Value(env, ExternalBuffer(env, ring.data(), ring.data_bytes(), h->ring_));
  });
  Add(exports, "countTruncated", [](Napi::Env env, const Shared& h, const Info&) -> Napi::Value {
    h->ring_->CountTruncated(1);
    return env.Undefined();
  });
  Add(exports, "drainRecorder",
      [](Napi::Env env, const Shared& h, const Info& info) -> Napi::Value {
        if (!info[1].IsTypedArray()) throw Napi::TypeError::New(env, "what is drained");
        h->ring_->Drain(RunsFrom(info[1].As<Napi::Float64Array>()));
        return env.Undefined();
      });
  Add(exports, "leaveRecorder",
      [](Napi::Env env, const Shared& h, const Info& info) -> Napi::Value {
        h->Leave(info[1].ToBoolean());
        return env.Undefined();
      });
  Add(exports, "closeRecorder",
      [](Napi::Env env, const Shared& h, const Info& info) -> Napi::Value {
        h->Close(info[1].ToBoolean());
        return env.Undefined();
      });
}

RecorderHandle::RecorderHandle(napi_env env, const recorder::RingOptions& options, uint32_t thread,
                               const recorder::Kept& kept)
    : env_(env),
      env_state_(EnvState::Of(env)),
      ring_(recorder::JoinRing(options)),
      producer_(std::make_shared<RingProducer>(ring_, thread)),
      for_addons_(std::make_shared<recorder::NativeRecorder>(ring_, kept)) {
  napi_add_env_cleanup_hook(env_, EnvEnds, this);
}

RecorderHandle::~RecorderHandle() { Close(false); }

// The thread is no longer in the middle of a call, whatever ended it.
void RecorderHandle::EnvEnds(void* handle) { static_cast<RecorderHandle*>(handle)->Close(false); }

void RecorderHandle::Close(bool keep) {
  if (closed_) return;
  closed_ = true;
  napi_remove_env_cleanup_hook(env_, EnvEnds, this);
  for_addons_->Close();
  producer_->Detach();
  Leave(keep);
}

void RecorderHandle::Leave(bool keep) {
  if (left_) return;
  left_ = true;
  recorder::LeaveRing(ring_, keep);
}

engine::Producer& RecorderHandle::log() { return env_state_.producer(); }

void RecorderHandle::PublishBeside() {
  // Whole: a division by a constant is a multiplication, and of doubles it is not.
  constexpr uint64_t kNsPerMs = 1'000'000;
  engine::Producer& log = this->log();
  const uint32_t size = producer_->PayloadBytes();
  const uint8_t* const written = size == 0 ? nullptr : log.Written(size);
  const bool wants_time = log.WantsTime();
  uint64_t now_ns = 0;
  log.PublishAt([&] {
    now_ns = producer_->Now();
    return static_cast<double>(static_cast<int64_t>(now_ns / kNsPerMs));
  });
  // A log that has been sealed takes the record again, and what it gives the ring then is whole.
  if (written != nullptr && !log.HasPublished()) return;
  if (wants_time && now_ns == 0) now_ns = producer_->Now();
  if (written == nullptr) {
    producer_->CountInvalid();
  } else {
    producer_->PublishCopy(written, size, now_ns);
  }
}

Napi::Value RecorderHandle::DirectRoute(Napi::Env env) {
  Napi::Object route = Napi::Object::New(env);
  const bool made =
      SetArray<Napi::Int32Array>(route, "lease", producer_->js_words(),
                                 engine::JsControl::kWords * sizeof(int32_t), producer_) &&
      SetArray<Napi::Int32Array>(route, "words", ring_->control(), ring_->control_bytes(), ring_);
  return made ? Napi::Value(route) : env.Null();
}

// What include/shardlog/recorder.h describes.
Napi::Value RecorderHandle::ForAddons(Napi::Env env) const {
  auto kept = std::make_unique<std::shared_ptr<recorder::NativeRecorder>>(for_addons_);
  const auto external = Napi::External<shardlog_recorder>::New(
      env, for_addons_.get(),
      [](Napi::Env, shardlog_recorder*, std::shared_ptr<recorder::NativeRecorder>* owned) {
        delete owned;
      },
      kept.get());
  static_cast<void>(kept.release());
  return external;
}

Napi::Object RecorderHandle::ToObject(Napi::Env env) {
  auto kept = std::make_unique<Shared>(shared_from_this());
  const Keeper keeper =
      Keeper::New(env, kept.get(), [](Napi::Env, Shared* owned) { delete owned; });
  static_cast<void>(kept.release());
  Napi::Object object = Napi::Object::New(env);
  object.Set("keeper", keeper);
  const auto add = [&](const char* name, napi_callback call) {
    napi_value function = nullptr;
    napi_create_function(env, name, NAPI_AUTO_LENGTH, call, this, &function);
    const Napi::Object value(env, function);
    value.DefineProperty(Napi::PropertyDescriptor::Value("keeper", keeper));
    object.Set(name, value);
  };
  add("logBytes", LogBytes<RecorderHandle>);
  add("putText", PutText<RecorderHandle>);
  add("putTexts", PutTexts<RecorderHandle>);
  add("publish", Publish<RecorderHandle>);
  add("publishTexts", PublishTexts<RecorderHandle>);
  add("renew", Renew<RecorderHandle>);
  add("publishBeside", napi::PublishBeside);
  add("publishTextsBeside", PublishTextsBeside);
  object.Set("direct", DirectRoute(env));
  object.Set("native", ForAddons(env));
  const std::string& left = ring_->left();
  object.Set("left", left.empty() ? env.Null() : Napi::String::New(env, left));
  return object;
}

}  // namespace shardlog::napi
