"""sudo, doas and pkexec for ergo alone: the command runs as the user who typed it. Root's limits are the simulated node's."""
import json
import os
import pathlib
import pwd
import shlex
import shutil
import subprocess
import sys
import unittest

from ergo_case import BINARIES, ErgoCase
from limits_case import LimitsCase

USER = pwd.getpwnam("nobody")
# What each of them tells the program that it starts as root.
TOLD = {"sudo": {"SUDO_UID": str(USER.pw_uid), "SUDO_GID": str(USER.pw_gid), "SUDO_USER": USER.pw_name},
        "doas": {"DOAS_USER": USER.pw_name},
        "pkexec": {"PKEXEC_UID": str(USER.pw_uid)}}
OF_ROOT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "USER": "root", "LOGNAME": "root", "SHELL": "/bin/sh"}


def become_user():
    os.setgroups([])
    os.setgid(USER.pw_gid)
    os.setuid(USER.pw_uid)


class CallingUserCase(LimitsCase):
    """ergo as root for the user nobody."""

    def setUp(self):
        super().setUp()
        self.folder.chmod(0o755)

    def script(self, told, words, given):
        kept = {**OF_ROOT, **told, **given}
        kept |= {name: value for name, value in self.environment.items() if name.startswith(("ERGO_", "TMPDIR"))}
        return " ".join(map(shlex.quote, ["env", "-i", *(f"{k}={v}" for k, v in kept.items()), str(BINARIES / "ergo"),
                                          *map(str, words)]))

    def under(self, tool, caller, *words, given=()):
        """Runs ergo as sudo and doas do: they stay above it, called so, with the caller's environment."""
        program = self.folder / tool
        if not program.exists():
            shutil.copy("/bin/sh", program)
        # Not the last command, which the shell would become.
        script = self.script(TOLD[tool], words, dict(given)) + "; exit $?"
        return subprocess.run([program, "-c", script], env={"PATH": "/usr/bin:/bin", **caller}, cwd=self.folder, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)

    def under_replaced(self, tool, caller, *words, given=()):
        """Runs ergo as pkexec does, and doas without PAM: they become ergo, below the caller's own shell."""
        script = "read go; exec " + self.script(TOLD[tool], words, dict(given))
        helper = ("import os, subprocess, sys; from test_calling_user import become_user; "
                  "p = subprocess.Popen(['sh', '-c', sys.argv[1]], stdin=subprocess.PIPE, stdout=subprocess.PIPE); "
                  "become_user(); [os.set_inheritable(f.fileno(), True) for f in (p.stdin, p.stdout)]; "
                  "os.execve('/bin/sh', ['sh', '-c', f'echo >&{p.stdin.fileno()}; cat <&{p.stdout.fileno()}'], "
                  "dict(w.split('=', 1) for w in sys.argv[2:]))")
        caller = {"PATH": "/usr/bin:/bin", **caller}
        return subprocess.run([sys.executable, "-c", helper, script, *(f"{k}={v}" for k, v in caller.items())],
                              env={"PYTHONPATH": str(pathlib.Path(__file__).parent), **os.environ}, cwd=self.folder,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)


@unittest.skipUnless(os.geteuid() == 0, "needs root, as under sudo")
class CallingUser(CallingUserCase):
    node_options = ("--permission", "root")

    def test_the_command_runs_as_the_calling_user_and_never_as_root(self):
        program = 'id -u; id -g; id -G; echo "$HOME $USER"; echo 0.5 > "$ERGO_RUN_DIR/latency.csv" && echo kept'
        base = dict(self.environment)
        for tool, told in TOLD.items():
            with self.subTest(tool=tool):
                self.environment = {**base, **told}
                done, report = self.run_json("--power-limit", "180", "--", "sh", "-c", program)
                self.assertEqual(done.returncode, 0, done.stderr)
                groups = " ".join(map(str, os.getgrouplist(USER.pw_name, USER.pw_gid)))
                self.assertEqual(done.stdout.splitlines(),
                                 [str(USER.pw_uid), str(USER.pw_gid), groups, f"{USER.pw_dir} nobody", "kept"])
                self.assertEqual(report["runs"][0]["power_limit_w"], 180)
                self.assertEqual(report["runs"][0]["latency"]["count"], 1)
                self.assertEqual(self.limit(), 300)

    def test_the_command_has_the_environment_of_the_calling_user(self):
        tools = self.folder / "tools"
        tools.mkdir()
        (tools / "mytool").write_text('#!/bin/sh\necho "$FOO|$GIVEN|$PATH|$LD_LIBRARY_PATH|$VIRTUAL_ENV|$HOME"\n')
        (tools / "mytool").chmod(0o755)
        caller = {"PATH": f"{tools}:/usr/bin:/bin", "FOO": "a b", "GIVEN": "old", "LD_LIBRARY_PATH": "/opt/lib",
                  "VIRTUAL_ENV": "/opt/venv", "HOME": "/home/me"}
        for how, tool in ((self.under, "sudo"), (self.under, "doas"), (self.under_replaced, "pkexec"),
                          (self.under_replaced, "doas")):
            with self.subTest(how=how.__name__, tool=tool):
                done = how(tool, caller, "run", "--quiet", "--power-limit", "180", "--", "mytool", given={"GIVEN": "new"})
                self.assertEqual(done.stdout, f"a b|new|{tools}:/usr/bin:/bin|/opt/lib|/opt/venv|/home/me\n", done.stderr)
                self.assertEqual(self.limit(), 300)

    def test_what_the_calling_user_sets_for_ergo_does_not_reach_root(self):
        for how, tool in ((self.under, "sudo"), (self.under, "doas"), (self.under_replaced, "pkexec")):
            done = how(tool, {"ERGO_NVML": "/nonexistent/evil.so"}, "limits", "show")
            self.assertIn("allowed 150 W to 300 W", done.stdout, done.stderr)

    def test_the_choice_of_gpus_is_the_calling_users(self):
        for how, tool in ((self.under, "doas"), (self.under_replaced, "pkexec")):
            done = how(tool, {"CUDA_VISIBLE_DEVICES": ""}, "limits", "show")
            self.assertNotIn("gpu0", done.stdout)

    def test_the_way_back_is_told_as_the_user_must_type_it(self):
        base = dict(self.environment)
        for told, words in (*((TOLD[tool], f"{tool} ergo limits restore") for tool in TOLD), ({}, ": ergo limits restore")):
            self.environment = {**base, **told}
            self.assertIn(words, self.ergo("limits", "set", "200").stdout)
            self.assertEqual(self.ergo("limits", "restore").returncode, 0)

    def test_what_cannot_be_a_user_stops_the_run(self):
        base = dict(self.environment)
        me = str(USER.pw_uid)
        for told, word in (({"SUDO_UID": "x", "SUDO_GID": "1"}, "SUDO_UID does not hold"),
                           ({"SUDO_UID": "", "SUDO_GID": "1"}, "SUDO_UID does not hold"),
                           ({"SUDO_UID": me}, "SUDO_GID does not hold"),
                           ({"PKEXEC_UID": "-1"}, "PKEXEC_UID does not hold"),
                           ({"PKEXEC_UID": "4294967295"}, "PKEXEC_UID does not hold"),
                           ({"PKEXEC_UID": "3999999999"}, "PKEXEC_UID names the user '3999999999', whom"),
                           ({"DOAS_USER": "no-such-user"}, "DOAS_USER names the user 'no-such-user', whom"),
                           ({"DOAS_USER": ""}, "DOAS_USER names the user ''"),
                           ({**TOLD["sudo"], "DOAS_USER": "root"}, f"name different users: {me} and 0"),
                           ({**TOLD["sudo"], "PKEXEC_UID": "0"}, "SUDO_UID and PKEXEC_UID name different users"),
                           ({**TOLD["doas"], "PKEXEC_UID": "0"}, "DOAS_USER and PKEXEC_UID name different users")):
            for sim in ((), ("--sim", "v100")):
                with self.subTest(told=told, sim=sim):
                    self.environment = {**base, **told}
                    done = self.ergo("run", *sim, "--power-limit", "180", "--", "touch", "ran")
                    self.assertEqual(done.returncode, 125)
                    self.assertIn(word, done.stderr)
                    self.assertIn("env -u ", done.stderr)
                    self.assertFalse((self.folder / "ran").exists())

    def test_two_that_name_the_same_user_agree_and_root_stays_root(self):
        base = dict(self.environment)
        for told, uid in (({**TOLD["sudo"], **TOLD["doas"], **TOLD["pkexec"]}, USER.pw_uid),
                          ({"SUDO_UID": "0", "SUDO_GID": "0"}, 0), ({"DOAS_USER": "root"}, 0), ({"PKEXEC_UID": "0"}, 0)):
            self.environment = {**base, **told}
            self.assertEqual(self.ergo("run", "--quiet", "--", "id", "-u").stdout, f"{uid}\n")


def user_may_run_ergo():
    return os.geteuid() == 0 and subprocess.run([BINARIES / "ergo", "--version"], preexec_fn=become_user,
                                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


def can_ergo_be_run():
    try:
        return user_may_run_ergo()
    except OSError:
        return False


@unittest.skipUnless(can_ergo_be_run(), "needs root, and a build folder that the user nobody may enter")
class Simulated(CallingUserCase):
    """`sudo ergo --sim …`: nothing needs root there, so nothing is done as root."""

    def setUp(self):
        ErgoCase.setUp(self)
        self.folder.chmod(0o755)
        for name in ("ERGO_STATE_DIR", "ERGO_SYSFS", "ERGO_NVML"):
            del self.environment[name]

    def test_the_command_sees_the_simulated_node(self):
        for how, tool in ((self.under, "sudo"), (self.under, "doas"), (self.under_replaced, "pkexec")):
            with self.subTest(tool=tool):
                done = how(tool, {}, "run", "--sim", "v100", "--power-limit", "200", "--quiet", "--", BINARIES / "ergo", "limits",
                           "show", "--json")
                self.assertTrue(done.stdout, done.stderr)
                seen = json.loads(done.stdout)
                self.assertEqual([gpu["set_w"] for gpu in seen["gpus"]], [200])
                self.assertTrue(seen["saved"][0]["owner_alive"])

    def test_no_process_is_roots_and_the_node_is_for_the_user_alone(self):
        program = ('stat -c "%u %a" "$(dirname "$ERGO_SIM_STATE")"; stat -c "%u %a" "$ERGO_SIM_STATE"; '
                   'stat -c "%u" /proc/$PPID; cat /proc/$PPID/comm; tr "\\0" " " < /proc/$PPID/environ; '
                   'for s in /proc/[0-9]*; do grep -q "^PPid:.$PPID$" $s/status && grep ^Uid $s/status; done; '
                   'cat "$ERGO_SYSFS/class/powercap/intel-rapl:0/name"; id -u')
        done = self.under("sudo", {"FOO": "bar", "PATH": "/usr/bin:/bin:/mine"}, "run", "--quiet", "--sim", "v100", "--", "sh", "-c", program)
        lines = done.stdout.splitlines()
        uid = str(USER.pw_uid)
        self.assertEqual(lines[:4], [f"{uid} 700", f"{uid} 600", uid, "ergo"], done.stderr)
        self.assertIn("FOO=bar", lines[4])
        self.assertIn("/bin:/mine", lines[4])
        self.assertNotIn("SUDO_UID", lines[4])
        children = [line.split()[1:] for line in lines if line.startswith("Uid")]
        self.assertGreaterEqual(len(children), 2, "the node and the command")
        self.assertEqual({u for child in children for u in child}, {uid})
        self.assertEqual(lines[-2:], ["package-0", uid])

    def test_files_are_the_users_and_roots_folders_stay_closed(self):
        done = self.under("sudo", {}, "run", "--sim", "v100", "--json", "root.json", "--", "true")
        self.assertEqual(done.returncode, 125)
        self.assertFalse((self.folder / "root.json").exists())
        mine = self.folder / "mine"
        mine.mkdir()
        os.chown(mine, USER.pw_uid, USER.pw_gid)
        done = self.under("sudo", {}, "run", "--sim", "v100", "--json", mine / "r.json", "--", "true")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((mine / "r.json").stat().st_uid, USER.pw_uid)


if __name__ == "__main__":
    unittest.main()
