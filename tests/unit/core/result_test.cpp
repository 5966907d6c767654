#include "ergo/core/result.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace ergo {
namespace {

TEST(Result, HoldsAValueOrAnError) {
  const Result<int> good = 3;
  const Result<int> bad = Error{Errc::not_found, "no such thing", ""};
  EXPECT_TRUE(good.ok());
  EXPECT_EQ(*good, 3);
  EXPECT_FALSE(bad.ok());
  EXPECT_EQ(bad.value_or(7), 7);
}

TEST(Result, AnErrorShowsItsRemedy) {
  EXPECT_EQ((Error{Errc::permission, "cannot read x", "sudo chmod a+r x"}).text(),
            "cannot read x (sudo chmod a+r x)");
}

TEST(Result, SystemErrorsKeepTheirKind) {
  EXPECT_EQ(system_error("x", EACCES).code, Errc::permission);
  EXPECT_EQ(system_error("x", ENOENT).code, Errc::not_found);
  EXPECT_EQ(system_error("x", EIO).code, Errc::io);
}

}  // namespace
}  // namespace ergo
