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
  auto* const wait = new Wait{Napi::Promise::Deferred::New(env), std::move(refusal), {}};
  const Napi::Promise promise = wait->deferred.Promise();
  if (pending_++ == 0) queue_.Ref(env);
  start([self = shared_from_this(), wait](const engine::IoStatus& status) {
    wait->status = status;
    self->Send(std::unique_ptr<Wait>(wait));
  });
  return promise;
}

void Settler::Send(std::unique_ptr<Wait> wait) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (is_over_) return;
  // Refused only while the environment ends. Otherwise it is the queue's now.
  if (queue_.NonBlockingCall(wait.get()) == napi_ok) {
    static_cast<void>(wait.release());
  } else {
    is_over_ = true;
  }
}

void Settler::Deliver(Napi::Env env, Napi::Function, Context* context, Wait* wait) {
  const std::unique_ptr<Wait> owned(wait);
  // Without an environment it has ended, and what was queued is only handed back.
  if (static_cast<napi_env>(env) == nullptr) return;
  Settler& self = **context;
  if (--self.pending_ == 0) self.queue_.Unref(env);
  if (owned->status.ok()) {
    owned->deferred.Resolve(env.Undefined());
  } else {
    owned->deferred.Reject(owned->refusal(env, owned->status).Value());
  }
}

}  // namespace shardlog::napi
