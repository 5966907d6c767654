"""What the verbs say when the file that they shall read as a store is none."""
import os
import sqlite3
import unittest

from ergo_case import ErgoCase

READERS = (("report",), ("export", "--format", "csv"), ("plot",), ("compare",), ("advise",))


class NoStore(ErgoCase):
    def refuses(self, file, *words, readers=READERS, code=1, **keywords):
        """Each of `readers` names the file and says each of `words` and a remedy on a line of its own."""
        for verb, *options in readers:
            done = self.ergo(verb, file, *options, **keywords)
            with self.subTest(verb=verb):
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertEqual(done.stdout, "")
                for word in (str(file), *words):
                    self.assertIn(word, done.stderr)
                self.assertNotIn("disk I/O", done.stderr)
                self.assertEqual(len(done.stderr.strip().splitlines()), 2, done.stderr)

    def test_a_folder(self):
        (self.folder / "results").mkdir()
        self.refuses("results", "is a folder", "name the store's file", readers=READERS[:4])
        self.refuses("results", "not a folder", readers=READERS[4:])
        done = self.ergo("run", "--store", "results", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertIn("results is a folder", done.stderr)
        self.assertIn("results/ergo.db", done.stderr)

    def test_a_file_of_something_else(self):
        (self.folder / "notes.txt").write_text("no table and no store\n" * 200)
        self.refuses("notes.txt", "is not an Ergometer store", "name another file", readers=READERS[:4])
        self.refuses("notes.txt", "the column 'gpu' is missing", readers=READERS[4:])

    def test_a_database_of_another_program(self):
        with sqlite3.connect(self.folder / "songs.db") as database:
            database.execute("CREATE TABLE songs(title)")
        self.refuses("songs.db", "another program", "name another file")

    def test_an_empty_file(self):
        (self.folder / "empty.db").write_text("")
        self.refuses("empty.db", "is empty")

    def test_no_file(self):
        self.refuses("none.db", "there is no store", "check the name", readers=READERS[:4])
        self.refuses("none.db", "No such file", "check the name", readers=READERS[4:])

    def test_a_store_of_a_newer_version(self):
        self.ergo("run", "--store", "new.db", "--", "true")
        with sqlite3.connect(self.folder / "new.db") as database:
            database.execute("PRAGMA user_version = 41")
        self.refuses("new.db", "version 41", "use the newer ergo")

    def test_a_store_that_may_not_be_read(self):
        self.ergo("run", "--store", "secret.db", "--", "true")
        (self.folder / "secret.db").chmod(0)
        keywords = {}
        if os.geteuid() == 0:  # permissions say nothing to root
            self.folder.chmod(0o755)
            keywords = {"user": 65534, "group": 65534, "extra_groups": []}
        self.refuses("secret.db", "Permission denied", "chmod a+r", **keywords)


if __name__ == "__main__":
    unittest.main()
