#include "napi/settler.h"

#include <utility>

namespace shardlog::napi {

Napi::Object UnreferencedResource(Napi::Env env) {
  Napi::Object resource = Napi::Object::New(env);
  const auto no = [](const Napi::CallbackInfo& info) {
    return Napi::Boolean::New(info.Env(), false);
  };
  resource.Set("hasRef", Napi::Function::New(env, no, "hasRef"));
  return resource;
}

std::shared_ptr<Settler> Settler::Make(Napi::Env env) {
  auto settler = std::make_shared<Settler>();
  const auto finalize = [](Napi::Env, void*, Context* context) {
    const std::unique_ptr<Context> owned(context);
    const std::lock_guard<std::mutex> lock((*owned)->mutex_);
    (*owned)->is_over_ = true;
  };
  settler->queue_ = Queue::New(env, UnreferencedResource(env), "shardlog", 0, 1,
                               new Context(settler), finalize, static_cast<void*>(nullptr));
  settler->queue_.Unref(env);
  return settler;
}

Napi::Promise Settler::Promise(Napi::Env env, Refusal refusal,
                               const std::function<void(Done)>& start) {
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  if (pending_++ == 0) queue_.Ref(env);
  start([self = shared_from_this(), deferred,
         refusal = std::move(refusal)](const engine::IoStatus& status) {
    self->Post([self, deferred, refusal, status](Napi::Env of) {
      if (--self->pending_ == 0) self->queue_.Unref(of);
      if (status.ok()) {
        deferred.Resolve(of.Undefined());
      } else {
        deferred.Reject(refusal(of, status).Value());
      }
    });
  });
  return deferred.Promise();
}

void Settler::Post(Call call) {
  auto queued = std::make_unique<Call>(std::move(call));
  const std::lock_guard<std::mutex> lock(mutex_);
  if (is_over_) return;
  // Refused only while the environment ends. Otherwise it is the queue's now.
  if (queue_.NonBlockingCall(queued.get()) == napi_ok) {
    static_cast<void>(queued.release());
  } else {
    is_over_ = true;
  }
}

void Settler::Deliver(Napi::Env env, Napi::Function, Context*, Call* call) {
  const std::unique_ptr<Call> owned(call);
  // Without an environment it has ended, and what was queued is only handed back.
  if (static_cast<napi_env>(env) != nullptr) (*owned)(env);
}

}  // namespace shardlog::napi
