#include "engine/journal.h"

#include "format/crc32c.h"

namespace shardlog::engine {

void StoreJournalState(ArenaHeader* header, JournalState state) {
  state.crc = format::Crc32c(&state, kJournalStateCrcBytes);
  // [MM journal] relaxed: nobody else writes it.
  const uint64_t current = header->journal.current.load(std::memory_order_relaxed);
  const uint64_t next = current == 1 ? 2 : 1;
  header->states[next - 1].state = state;
  // [MM journal] release: pairs with recovery's load.
  header->journal.current.store(next, std::memory_order_release);
}

bool LoadJournalState(const ArenaHeader& header, JournalState* state) {
  // [MM journal] acquire: pairs with the store.
  const uint64_t current = header.journal.current.load(std::memory_order_acquire);
  if (current != 1 && current != 2) return false;
  *state = header.states[current - 1].state;
  return state->crc == format::Crc32c(state, kJournalStateCrcBytes);
}

}  // namespace shardlog::engine
