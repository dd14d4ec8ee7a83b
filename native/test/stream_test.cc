// What descriptors of each kind do with lines, and what becomes of the descriptors.
#include "io/stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "engine/error.h"
#include "log/log_registry.h"
#include "support/child.h"
#include "support/record_builder.h"
#include "support/rig.h"

namespace shardlog::test {
namespace {

std::unique_ptr<io::Stream> Open(int descriptor) {
  int error = 0;
  const char* call = "";
  auto stream = io::OpenStream(descriptor, &error, &call);
  EXPECT_NE(stream, nullptr) << call << " " << error;
  return stream;
}

int OpenError(int descriptor) {
  int error = 0;
  const char* call = "";
  EXPECT_EQ(io::OpenStream(descriptor, &error, &call), nullptr);
  return error;
}

// Writes until nothing more is taken; the bytes taken.
size_t Fill(io::Stream* stream, size_t part) {
  const std::string data(part, 'x');
  size_t taken = 0;
  for (;;) {
    const ssize_t result = stream->Write(data.data(), data.size());
    if (result <= 0) {
      EXPECT_EQ(result, -EAGAIN);
      return taken;
    }
    taken += static_cast<size_t>(result);
  }
}

std::string ReadSome(int fd, size_t bytes) {
  std::string data(bytes, '\0');
  const ssize_t result = read(fd, data.data(), bytes);
  data.resize(result < 0 ? 0 : static_cast<size_t>(result));
  return data;
}

struct Pair {
  int reader = -1;
  int writer = -1;
};

// A full pipe, socket or terminal refuses; its owner's descriptor stays as it was.
void ExpectFullRefusedAndFlagsLeft(Pair pair) {
  const int flags = fcntl(pair.writer, F_GETFL);
  const auto stream = Open(pair.writer);
  ASSERT_NE(stream, nullptr);
  EXPECT_GT(Fill(stream.get(), 100), 0u);
  EXPECT_EQ(fcntl(pair.writer, F_GETFL), flags);
  // The next waits until somebody reads, a terminal's until they have read more than they get at
  // once.
  std::atomic<bool> written{false};
  std::thread reading([&] {
    pollfd data = {pair.reader, POLLIN, 0};
    while (!written) {
      if (poll(&data, 1, 10) > 0) ReadSome(pair.reader, 1 << 20);
    }
  });
  ssize_t result = -EAGAIN;
  while (result == -EAGAIN) {
    stream->AwaitRoom(UINT64_MAX);
    result = stream->Write("y", 1);
  }
  written = true;
  reading.join();
  EXPECT_EQ(result, 1);
  close(pair.reader);
  close(pair.writer);
}

TEST(Stream, OfAPipeNeverWaits) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ExpectFullRefusedAndFlagsLeft({ends[0], ends[1]});
}

TEST(Stream, OfASocketNeverWaits) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  ExpectFullRefusedAndFlagsLeft({ends[0], ends[1]});
}

TEST(Stream, OfATerminalNeverWaits) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(master, 0);
  ASSERT_EQ(grantpt(master), 0);
  ASSERT_EQ(unlockpt(master), 0);
  const int terminal = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(terminal, 0);
  ExpectFullRefusedAndFlagsLeft({master, terminal});
}

// Of a pipe that belongs to another user.
TEST(Stream, ThatCannotBeOpenedAnewTakesWhatThereIsRoomFor) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(fchmod(ends[1], 0), 0);
  const int flags = fcntl(ends[1], F_GETFL);
  SharedCounters seen;
  EXPECT_TRUE(LiveAndDie([&] {
    // To root, nothing is closed.
    if (getuid() == 0 && setuid(65534) != 0) return;
    const std::string path = "/proc/self/fd/" + std::to_string(ends[1]);
    if (open(path.c_str(), O_WRONLY | O_CLOEXEC) >= 0) return;
    int error = 0;
    const char* call = "";
    const auto stream = io::OpenStream(ends[1], &error, &call);
    if (stream == nullptr) return;
    seen[0] = static_cast<uint32_t>(Fill(stream.get(), 100'000));
    seen[1] = fcntl(ends[1], F_GETFL) == flags;
  }));
  EXPECT_GE(seen[0].load(), 4096u);
  EXPECT_EQ(seen[1].load(), 1u);
  close(ends[0]);
  close(ends[1]);
}

TEST(Stream, OutlivesTheDescriptorThatItWasOpenedBy) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto stream = Open(ends[1]);
  close(ends[1]);
  EXPECT_EQ(stream->Write("line\n", 5), 5);
  EXPECT_EQ(ReadSome(ends[0], 10), "line\n");
  close(ends[0]);
}

TEST(Stream, FailsOnceTheReaderHasGone) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto early = Open(ends[1]);
  close(ends[0]);
  // A signal would end the program.
  signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(early->Write("line\n", 5), -EPIPE);
  EXPECT_FALSE(early->MayPass(EPIPE));
  // Such a pipe cannot be opened anew.
  const auto late = Open(ends[1]);
  EXPECT_EQ(late->Write("line\n", 5), -EPIPE);
  close(ends[1]);
}

TEST(Stream, AppendsToAFileWhereItsDescriptorStands) {
  TempDir directory;
  const std::string path = directory.File("out");
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(write(fd, "before\n", 7), 7);
  const auto stream = Open(fd);
  EXPECT_EQ(stream->Write("line\n", 5), 5);
  ASSERT_EQ(write(fd, "after\n", 6), 6);
  std::ifstream in(path);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "before\nline\nafter\n");
  EXPECT_TRUE(stream->MayPass(ENOSPC));
  close(fd);
}

TEST(Stream, AnInterruptEndsOneSleepAlsoBeforeItBegins) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const auto stream = Open(ends[1]);
  Fill(stream.get(), 4096);
  stream->Interrupt();
  stream->AwaitRoom(UINT64_MAX);
  std::thread interrupting([&] { stream->Interrupt(); });
  stream->Pause(UINT64_MAX);
  interrupting.join();
  close(ends[0]);
  close(ends[1]);
}

TEST(Stream, IsNotMadeOfWhatCannotBeWrittenTo) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(OpenError(ends[0]), -EBADF);
  close(ends[0]);
  EXPECT_EQ(OpenError(ends[0]), -EBADF);
  close(ends[1]);
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends), 0);
  EXPECT_EQ(OpenError(ends[0]), -EPROTOTYPE);
  close(ends[0]);
  close(ends[1]);
}

engine::Config ConfigOf(int descriptor) {
  engine::Config config = SmallConfig("descriptor " + std::to_string(descriptor), 1);
  config.descriptor = descriptor;
  config.content = engine::Content::kRecords;
  config.format = engine::Format::kNdjson;
  return config;
}

TEST(Stream, DescriptorsOfOnePipeAreOneLog) {
  int ends[2];
  int other[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(other, O_CLOEXEC), 0);
  const int twin = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
  const auto first = engine::Join(ConfigOf(ends[1]));
  EXPECT_EQ(engine::Join(ConfigOf(twin)), first);
  const auto second = engine::Join(ConfigOf(other[1]));
  EXPECT_NE(second, first);
  EXPECT_TRUE(engine::Leave(first).ok());
  const auto producer = first->Attach();
  const Bytes record = TextLine(1, "still open\n");
  EXPECT_TRUE(producer->Append(record.view().data(), record.size()));
  EXPECT_TRUE(engine::Leave(first).ok());
  EXPECT_EQ(ReadSome(ends[0], 100), "still open\n");
  EXPECT_TRUE(engine::Leave(second).ok());
  for (const int fd : {ends[0], ends[1], other[0], other[1], twin}) close(fd);
}

TEST(Stream, AFileByItsPathAndByADescriptorAreTwoLogs) {
  TempDir directory;
  const std::string path = directory.File("log");
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const auto by_path = engine::Join(SmallConfig(path, 1));
  const auto by_descriptor = engine::Join(ConfigOf(fd));
  EXPECT_NE(by_path, by_descriptor);
  EXPECT_TRUE(engine::Leave(by_descriptor).ok());
  EXPECT_TRUE(engine::Leave(by_path).ok());
  close(fd);
}

TEST(Stream, ADescriptorThatIsNotOpenIsAnErrorThatSaysSo) {
  try {
    engine::Join(ConfigOf(987));
    FAIL();
  } catch (const engine::Error& error) {
    EXPECT_EQ(error.code(), "ERR_SHARDLOG_IO");
    EXPECT_EQ(error.error_number(), EBADF);
    EXPECT_NE(std::string(error.what()).find("descriptor 987"), std::string::npos);
  }
}

}  // namespace
}  // namespace shardlog::test
