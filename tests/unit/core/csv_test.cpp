#include "ergo/core/csv.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ergo {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Csv, QuotesCarriageReturnsBlankLinesAndAByteOrderMarkAreUnderstood) {
  const auto table = parse_csv(
      "\xEF\xBB\xBFname , value\r\n\r\n\"a, b\",\"say \"\"hi\"\"\"\r\n  \n c ,4", "t.csv");
  ASSERT_TRUE(table) << table.error().text();
  EXPECT_THAT(table->header, ElementsAre("name", "value"));
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_THAT(table->rows[0].fields, ElementsAre("a, b", "say \"hi\""));
  EXPECT_THAT(table->rows[1].fields, ElementsAre("c", "4"));
}

TEST(Csv, RowsAreNumberedByTheLineTheyBeginIn) {
  const auto table = parse_csv("junk\na,b\n\"1\n2\",x\n3,y\n", "t.csv", 1);
  ASSERT_TRUE(table) << table.error().text();
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_EQ(table->rows[0].line, 3);
  EXPECT_EQ(table->rows[0].fields[0], "1\n2");
  EXPECT_EQ(table->rows[1].line, 5);
}

TEST(Csv, WhatIsWrongIsNamedWithFileAndLine) {
  EXPECT_EQ(parse_csv("", "t.csv").error().message, "t.csv:1: the file is empty");
  EXPECT_EQ(parse_csv("only junk", "t.csv", 3).error().message, "t.csv:1: the file is empty");
  EXPECT_EQ(parse_csv("a,b\n1,2,3\n", "t.csv").error().message,
            "t.csv:2: 3 fields where the header has 2");
  EXPECT_EQ(parse_csv("a,b\n1,2\n\"x,2\n3,4\n", "t.csv").error().message,
            "t.csv:3: a quote is not closed");
  const auto cut = parse_csv("a,b\n1,2\n3", "t.csv");
  EXPECT_THAT(cut.error().message, HasSubstr("t.csv:3: 1 fields where the header has 2: the file"));
  EXPECT_EQ(cut.error().remedy, "delete its last line");
}

TEST(Csv, TheFirstMistakeOfAFileIsTheOneReported) {
  CsvReader reader("a,b\n1,2\n1,2,3\n\"", "t.csv");
  ASSERT_TRUE(reader.header());
  EXPECT_TRUE(*reader.next());
  EXPECT_THAT(reader.next().error().message, HasSubstr("t.csv:3:"));
}

TEST(Csv, AnEmptyFieldIsNoNumberAndNoMistake) {
  const auto table = parse_csv("a,b\n1.5,\nx,2\n", "t.csv");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->column("b"), 1U);
  EXPECT_EQ(table->column("c"), std::nullopt);
  EXPECT_EQ(**table->number(table->rows[0], 0), 1.5);
  EXPECT_EQ(*table->number(table->rows[0], 1), std::nullopt);
  EXPECT_EQ(table->number(table->rows[1], 0).error().message,
            "t.csv:3: 'x' in column 'a' is not a number");
}

TEST(Csv, AFieldIsQuotedOnlyWhereItMustBeAndReadsBack) {
  EXPECT_EQ(csv_field("plain text"), "plain text");
  for (const std::string field : {"a,b", "say \"hi\"", "two\nlines"}) {
    const auto table = parse_csv("x\n" + csv_field(field) + "\n", "t.csv");
    ASSERT_TRUE(table) << table.error().text();
    ASSERT_EQ(table->rows.size(), 1U);
    EXPECT_EQ(table->rows[0].fields[0], field);
  }
}

}  // namespace
}  // namespace ergo
