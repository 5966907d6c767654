#include "common/memory_limit.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>

namespace ergo::workload {
namespace {

TEST(MemoryLimit, TheSystemSaysHowMuchIsFree) {
  const auto free = available_memory();
  ASSERT_TRUE(free.has_value());
  EXPECT_GT(*free, std::uint64_t{1} << 20);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ERGO_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define ERGO_SANITIZED 1
#endif
#endif

#ifdef ERGO_SANITIZED
TEST(MemoryLimitDeathTest, AllocationsBeyondTheLimitFailAndSmallerOnesDoNot) {
  GTEST_SKIP() << "the sanitizer's own memory counts against the limit";
}
#else
/// In a process of its own, as a limit stays. Exit code 0: refused above, granted below.
int allocate_around_limit() {
  constexpr std::size_t limit = std::size_t{64} << 20;
  const auto map = [](std::size_t bytes) {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  };
  if (!limit_memory(limit).ok()) return 1;
  if (map(2 * limit) != MAP_FAILED) return 2;
  if (map(limit / 2) == MAP_FAILED) return 3;
  return 0;
}

TEST(MemoryLimitDeathTest, AllocationsBeyondTheLimitFailAndSmallerOnesDoNot) {
  EXPECT_EXIT(_exit(allocate_around_limit()), testing::ExitedWithCode(0), "");
}
#endif

}  // namespace
}  // namespace ergo::workload
