#include "recorder/ring_registry.h"

#include <algorithm>
#include <list>
#include <mutex>
#include <string>

#include "engine/error.h"

namespace shardlog::recorder {
namespace {

struct OpenRing {
  std::shared_ptr<Ring> ring;
  std::string kind;
  size_t users;
  bool keep;
};

struct Registry {
  std::mutex mutex;
  std::list<OpenRing> rings;
};

// Never destroyed: threads may end after static destructors.
Registry& TheRegistry() {
  static Registry* const registry = new Registry;
  return *registry;
}

}  // namespace

std::shared_ptr<Ring> JoinRing(const RingOptions& options) {
  if (options.path.empty()) return std::make_shared<Ring>(options);
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  for (OpenRing& open : registry.rings) {
    if (open.ring->path() != options.path) continue;
    if (open.ring->segments() != options.segments || open.kind != options.kind) {
      throw engine::Error("ERR_SHARDLOG_CONFIG",
                          "the recorder at " + options.path +
                              " is open in this process with another capacity or other levels",
                          0, "", options.path);
    }
    open.users++;
    return open.ring;
  }
  registry.rings.push_back({std::make_shared<Ring>(options), options.kind, 1, false});
  return registry.rings.back().ring;
}

void LeaveRing(const std::shared_ptr<Ring>& ring, bool keep) {
  Registry& registry = TheRegistry();
  const std::lock_guard<std::mutex> lock(registry.mutex);
  const auto open = std::find_if(registry.rings.begin(), registry.rings.end(),
                                 [&](const OpenRing& one) { return one.ring == ring; });
  if (open == registry.rings.end()) return;  // in memory
  open->keep = open->keep || keep;
  if (--open->users > 0) return;
  ring->Close(open->keep);
  registry.rings.erase(open);
}

}  // namespace shardlog::recorder
