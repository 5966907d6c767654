// Files that are not as they should be.
#include "compare_records.hpp"
#include "ergo/core/files.hpp"
#include "ergo/store/store.hpp"
#include "sample_records.hpp"
#include "store/schema.hpp"
#include "store/sqlite.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ergo {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class StoreFaults : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path file() const { return folder_->path() / "ergo.db"; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_->path(); }
  void write(std::string_view text) { ASSERT_TRUE(write_text_atomically(file(), text)); }
  void make_store() {
    auto store = Store::open(file(), Store::Mode::create);
    ASSERT_TRUE(store) << store.error().text();
    ASSERT_TRUE(store->save(testing::full_experiment(1)));
  }
  sql::Database raw() {
    return sql::Database::open(file().string(), sql::Database::Open::create, 100).value();
  }

 private:
  Result<TemporaryFolder> folder_ = TemporaryFolder::create("ergo-store");
};

/// Permissions say nothing to root, so root becomes nobody for a while.
class WithoutPrivilege {
 public:
  WithoutPrivilege() {
    if (::geteuid() == 0) root_ = ::seteuid(65534) == 0;
  }
  ~WithoutPrivilege() {
    if (root_ && ::seteuid(0) != 0) ADD_FAILURE() << "cannot become root again";
  }
  WithoutPrivilege(const WithoutPrivilege&) = delete;
  WithoutPrivilege& operator=(const WithoutPrivilege&) = delete;

 private:
  bool root_ = false;
};

TEST_F(StoreFaults, AMissingFileIsNotFoundUnlessItMayBeCreated) {
  for (const auto mode : {Store::Mode::read, Store::Mode::write}) {
    const auto store = Store::open(file(), mode);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::not_found);
    EXPECT_THAT(store.error().message, HasSubstr(file().string()));
  }
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(StoreFaults, AMissingFolderIsNamedWithTheCommandThatMakesIt) {
  const auto store = Store::open(folder() / "no" / "ergo.db", Store::Mode::create);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, Errc::not_found);
  EXPECT_THAT(store.error().remedy, HasSubstr("mkdir -p"));
}

TEST_F(StoreFaults, AFolderIsNoStoreInAnyModeAndSaysSo) {
  for (const auto mode : {Store::Mode::read, Store::Mode::write, Store::Mode::create}) {
    const auto store = Store::open(folder(), mode);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::invalid_argument);
    EXPECT_THAT(store.error().message, HasSubstr("is a folder"));
    EXPECT_THAT(store.error().remedy, HasSubstr(mode == Store::Mode::create ? "ergo.db" : "name"));
  }
}

TEST_F(StoreFaults, APipeIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  for (const auto mode : {Store::Mode::read, Store::Mode::create}) {
    const auto store = Store::open(file(), mode);
    ASSERT_FALSE(store);
    EXPECT_THAT(store.error().text(), HasSubstr("no ordinary file"));
  }
}

TEST_F(StoreFaults, ATextFileIsRefusedAndLeftAsItIs) {
  const std::string text(2000, 'x');
  write(text);
  for (const auto mode : {Store::Mode::read, Store::Mode::write, Store::Mode::create}) {
    const auto store = Store::open(file(), mode);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::corrupt);
    EXPECT_THAT(store.error().message, HasSubstr("not an Ergometer store"));
  }
  EXPECT_EQ(*read_text(file()), text);
}

TEST_F(StoreFaults, ADatabaseOfAnotherProgramIsRefusedAndLeftAsItIs) {
  ASSERT_TRUE(raw().execute("CREATE TABLE songs(title); PRAGMA user_version = 1"));
  for (const auto mode : {Store::Mode::read, Store::Mode::create}) {
    const auto store = Store::open(file(), mode);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::corrupt);
    EXPECT_THAT(store.error().message, HasSubstr("another program"));
  }
  auto database = raw();
  EXPECT_EQ(*database.number("SELECT count(*) FROM sqlite_master"), 1);
}

TEST_F(StoreFaults, AStoreOfANewerErgoIsRefusedWithBothVersions) {
  make_store();
  ASSERT_TRUE(raw().execute("PRAGMA user_version = 41"));
  for (const auto mode : {Store::Mode::read, Store::Mode::create}) {
    const auto store = Store::open(file(), mode);
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::not_supported);
    EXPECT_THAT(store.error().message, AllOf(HasSubstr("version 41"),
                                             HasSubstr(std::to_string(store::current_version()))));
    EXPECT_THAT(store.error().remedy, HasSubstr("newer ergo"));
  }
}

TEST_F(StoreFaults, AStoreOfVersion1IsBroughtUpToDateWithItsContent) {
  {
    auto database = raw();
    ASSERT_TRUE(database.execute(std::string(store::migrations()[0])));
    ASSERT_TRUE(
        database.execute("PRAGMA application_id = " + std::to_string(store::application_id)));
    ASSERT_TRUE(database.execute(
        "PRAGMA user_version = 1;"
        "INSERT INTO experiments "
        "VALUES(5,'old','[\"./a\"]','2026-01-01T00:00:00.000Z','h','c','k','','done',NULL,0,1,2.0,"
        "1.5,2.5);"
        "INSERT INTO runs "
        "VALUES(9,5,0,0,0,'done',NULL,0,NULL,1,2,2.0,NULL,NULL,10.0,9.0,11.0,NULL,1,0,0.1,NULL,0);"
        "INSERT INTO windows VALUES(4,9,'run','',0,0,0.0,2.0,NULL,10.0,9.0,11.0,NULL);"
        "INSERT INTO signals "
        "VALUES(3,9,'p','power','W','gpu0','gpu','gpu0','s','measured',1,0,0.1,0,1,0,0.05,'k','b');"
        "INSERT INTO samples VALUES(3,0,7,7,1,x'070000000000000000000000000059400000003f');"));
  }
  EXPECT_THAT(Store::open(file(), Store::Mode::read).error().text(), HasSubstr("older version 1"));
  auto store = Store::open(file(), Store::Mode::write);
  ASSERT_TRUE(store) << store.error().text();
  const auto experiments = store->experiments();
  ASSERT_TRUE(experiments) << experiments.error().text();
  ASSERT_EQ(experiments->size(), 1U);
  EXPECT_EQ(experiments->front().origin, "ergo");
  const auto record = store->load_experiment(5);
  ASSERT_TRUE(record) << record.error().text();
  EXPECT_EQ(record->runs[0].total.measured, Joules(10.0));
  EXPECT_EQ(record->summary.duration_s.value, 2.0);
  // The documented bytes: int64 7, float64 100, float32 0.5.
  const auto samples = store->load_samples(9, "p");
  ASSERT_TRUE(samples && samples->size() == 1);
  EXPECT_EQ(samples->front().time, Instant{7});
  EXPECT_EQ(samples->front().value, 100.0);
  EXPECT_EQ(samples->front().half_width_s, 0.5F);
  EXPECT_EQ(*raw().number("PRAGMA user_version"), store::current_version());
  auto writer = store->begin_run(5, RunPlan{});
  ASSERT_TRUE(writer);
  (*writer)->append_event({Instant{1}, "new in version 2", ""});
  ASSERT_TRUE((*writer)->finish(RunRecord{}));
  EXPECT_EQ(store->load_events((*writer)->id())->size(), 1U);
}

TEST_F(StoreFaults, AnEmptyFileBecomesAStoreAndIsNoneForReading) {
  write("");
  EXPECT_THAT(Store::open(file(), Store::Mode::read).error().text(), HasSubstr("empty"));
  EXPECT_TRUE(Store::open(file(), Store::Mode::create));
}

TEST_F(StoreFaults, ALockedFileIsBusyAndCostsNoSample) {
  make_store();
  auto store = Store::open(file(), Store::Mode::write, StoreOptions{20, 100'000});
  auto writer = store->begin_run(*store->begin_experiment(testing::full_experiment(0)), RunPlan{});
  ASSERT_TRUE(writer);
  {
    auto other = raw();
    ASSERT_TRUE(other.execute("BEGIN IMMEDIATE"));
    (*writer)->append(testing::power_signal(), {Instant{1}, 1.0, 0.0F});
    const auto flushed = (*writer)->flush();
    ASSERT_FALSE(flushed);
    EXPECT_EQ(flushed.error().code, Errc::busy);
    EXPECT_THAT(flushed.error().message, HasSubstr("locked by another program"));
    EXPECT_TRUE((*writer)->error());
    (*writer)->append(testing::power_signal(), {Instant{2}, 2.0, 0.0F});
    EXPECT_EQ((*writer)->finish(RunRecord{}).error().code, Errc::busy);
    EXPECT_EQ(store->begin_experiment(testing::full_experiment(0)).error().code, Errc::busy);
    ASSERT_TRUE(other.execute("ROLLBACK"));
  }
  ASSERT_TRUE((*writer)->finish(RunRecord{}));
  EXPECT_FALSE((*writer)->error());
  const auto samples = store->load_samples((*writer)->id(), testing::power_signal().name);
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 2U);
}

TEST_F(StoreFaults, AReadOnlyFileIsRefusedForWritingAndReadAsItIs) {
  make_store();
  // A copy without the journal files, in a folder where none can be made.
  const auto archive = folder() / "archive" / "old.db";
  std::filesystem::create_directory(archive.parent_path());
  std::filesystem::copy_file(file(), archive);
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(archive.parent_path().c_str(), 0555), 0);
  ASSERT_EQ(::chmod(archive.c_str(), 0444), 0);
  {
    const WithoutPrivilege nobody;
    const auto writable = Store::open(archive, Store::Mode::create);
    ASSERT_FALSE(writable);
    EXPECT_EQ(writable.error().code, Errc::permission);
    EXPECT_THAT(writable.error().message, HasSubstr("read-only"));
    auto readable = Store::open(archive, Store::Mode::read);
    ASSERT_TRUE(readable) << readable.error().text();
    expect_equal(*readable->load_experiment(1), testing::full_experiment(1));
    EXPECT_EQ(readable->save(testing::full_experiment(1)).error().code, Errc::permission);
  }
  ASSERT_EQ(::chmod(archive.parent_path().c_str(), 0755), 0);
}

TEST_F(StoreFaults, AFileThatMayNotBeReadSaysSo) {
  make_store();
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file().c_str(), 0000), 0);
  const WithoutPrivilege nobody;
  const auto store = Store::open(file(), Store::Mode::read);
  EXPECT_EQ(store.error().code, Errc::permission);
  EXPECT_THAT(store.error().remedy, HasSubstr("chmod a+r " + file().string()));
}

TEST_F(StoreFaults, AFullDatabaseSaysThatThereIsNoSpace) {
  make_store();
  auto database = raw();
  ASSERT_TRUE(database.execute("CREATE TEMP TABLE IF NOT EXISTS unused(x)"));
  const auto pages = *database.number("PRAGMA page_count");
  ASSERT_TRUE(database.execute("PRAGMA max_page_count = " + std::to_string(pages + 1)));
  const auto done = database.execute("CREATE TABLE big AS SELECT randomblob(1000000) AS b");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::io);
  EXPECT_THAT(done.error().text(), AllOf(HasSubstr("no space left"), HasSubstr("free some space")));
}

TEST_F(StoreFaults, ATornFileIsReportedAsDamaged) {
  make_store();
  const std::string whole = *read_text(file());
  for (const std::size_t keep :
       {whole.size() / 2, whole.size() / 4, std::size_t{8192}, std::size_t{100}}) {
    SCOPED_TRACE(keep);
    std::string torn = whole.substr(0, keep);
    std::filesystem::remove(file().string() + "-wal");
    std::filesystem::remove(file().string() + "-shm");
    write(torn);
    auto store = Store::open(file(), Store::Mode::read);
    const auto loaded = store ? store->load_experiment(1) : Result<ExperimentRecord>(store.error());
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, Errc::corrupt) << loaded.error().text();
  }
}

TEST_F(StoreFaults, ADamagedChunkIsReportedNotGuessed) {
  make_store();
  auto store = Store::open(file(), Store::Mode::write);
  auto writer = store->begin_run(*store->begin_experiment(testing::full_experiment(0)), RunPlan{});
  (*writer)->append(testing::power_signal(), {Instant{1}, 1.0, 0.0F});
  ASSERT_TRUE((*writer)->finish(RunRecord{}));
  ASSERT_TRUE(
      raw().execute("UPDATE samples SET data = x'010203'; UPDATE latencies SET data = x'01'"));
  EXPECT_EQ(store->load_samples((*writer)->id(), testing::power_signal().name).error().code,
            Errc::corrupt);
  EXPECT_EQ(store->load_timeline((*writer)->id()).error().code, Errc::corrupt);
  EXPECT_EQ(store->load_experiment(1).error().code, Errc::corrupt);
  ASSERT_TRUE(
      raw().execute("UPDATE signals SET kind = 'smell'; UPDATE experiments SET command = '{'"));
  EXPECT_THAT(store->signals((*writer)->id()).error().text(), HasSubstr("smell"));
  EXPECT_EQ(store->experiments().error().code, Errc::corrupt);
}

}  // namespace
}  // namespace ergo
