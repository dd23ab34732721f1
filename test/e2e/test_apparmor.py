# SPDX-License-Identifier: Apache-2.0
"""AppArmor: programs under a profile, and the default one. test/vm/run boots a kernel that has it."""
import os
import subprocess
from pathlib import Path

import pytest

from harness.cli import coracle

PARSER = "/sbin/apparmor_parser"
MAPS = ("--uidmap", "0:100000:65536", "--gidmap", "0:100000:65536")
WHICH = ("cat", "/proc/self/attr/current")


def is_enabled():
    parameter = Path("/sys/module/apparmor/parameters/enabled")
    return parameter.exists() and parameter.read_text() == "Y\n"


needs_apparmor = pytest.mark.skipif(not is_enabled() or not os.access(PARSER, os.X_OK),
                                    reason="this kernel has no AppArmor, or the package apparmor is missing")


def parse(how, text):
    subprocess.run([PARSER, how], input=text.encode(), check=True)


@pytest.fixture
def load():
    """Loads profiles by name and rules, and takes them away again."""
    names = []

    def one(name, rules):
        names.append(name)
        if rules:
            parse("-Kr", f"profile {name} flags=(attach_disconnected,mediate_deleted) {{ {rules} }}")
        return name
    yield one
    for name in names:
        parse("-R", f"profile {name} {{ }}")


@pytest.fixture
def default(load):
    return load("coracle-test-default", None)


def test_one_profile_at_most(busybox):
    done = coracle("run", "--rm", "--apparmor-profile", "a", "--apparmor-default-profile", "b", busybox, "t", "true",
                   code=2)
    assert "apparmor-profile conflicts with apparmor-default-profile" in done.err


@needs_apparmor
def test_default(busybox, default):
    script = ("cat /proc/self/attr/current; cat /proc/1/attr/current; head -c4 /etc/passwd;"
              "cat /proc/sys/kernel/msgmni > /proc/sys/kernel/msgmni; cat /sys/kernel/mm/*/enabled >/dev/null;"
              "mount -t tmpfs none /tmp; cd /proc/sys/kernel; for i in core_pattern modprobe sysrq sched_rr_timeslice_ms;"
              "do cat $i > $i; done")
    done = coracle("run", "--rm", "--privileged", "--apparmor-default-profile", default, busybox, "t", "sh", "-c",
                   script, code=1)
    assert done.out == f"{default} (enforce)\n{default} (enforce)\nroot"
    assert done.err.lower().count("permission denied") == len(done.err.splitlines()) == 5
    for _ in "one", "more":  # now it is loaded
        assert coracle("run", "--rm", "--apparmor-default-profile", default, busybox, "t", *WHICH).out == \
            f"{default} (enforce)\n"
    assert coracle("run", "--rm", busybox, "t", *WHICH).out == "unconfined\n"
    assert coracle("run", "--rm", "--apparmor-profile", "unconfined", busybox, "t", *WHICH).out == "unconfined\n"


@needs_apparmor
@pytest.mark.parametrize("name", ["a b", "a{", "", "../a", "a" * 201])
def test_no_name(busybox, name):
    if name:
        done = coracle("run", "--rm", "--apparmor-default-profile", name, busybox, "t", "true", code=2)
        assert "make a name" in done.err


@needs_apparmor
def test_not_loaded(busybox):
    done = coracle("run", "--rm", "--apparmor-profile", "nowhere", busybox, "t", "true", code=125)
    assert done.err == ("coracle: AppArmor profile nowhere: not loaded\n"
                        "hint: apparmor_parser -r FILE loads one\n")


@needs_apparmor
@pytest.mark.parametrize("flags", [[], ["--init"], ["-u", "1000"], MAPS, ["--allow-new-privs"], ["--privileged"],
                                   ["--no-seccomp"], ["-t"]])
def test_with_other_flags(busybox, load, flags):
    name = load("coracle-test", "file, capability, signal, network, umount, mount,")
    if flags == ["-t"]:
        out = subprocess.run(["script", "-qec", f"coracle run --rm -t --apparmor-profile {name} {busybox} t "
                              + " ".join(WHICH), "/dev/null"], capture_output=True, text=True, check=True).stdout
        assert f"{name} (enforce)" in out
        return
    assert coracle("run", "--rm", *flags, "--apparmor-profile", name, busybox, "t", *WHICH).out == f"{name} (enforce)\n"


@needs_apparmor
def test_the_init_that_stays_goes_there_too(busybox, load):
    name = load("coracle-test", "file, signal,")
    out = coracle("run", "--rm", "--init", "--apparmor-profile", name, busybox, "t", "cat", "/proc/1/comm",
                  "/proc/1/attr/current", "/proc/self/attr/current").out
    assert out == f"coracle-init\n{name} (enforce)\n{name} (enforce)\n"


@needs_apparmor
def test_a_profile_need_not_allow_the_program(busybox, load):
    """The program is executed from outside of it; what the program executes is not."""
    name = load("coracle-test", "/** rmw,")
    for how in [], ["--init"]:
        assert coracle("run", "--rm", *how, "--apparmor-profile", name, busybox, "t", *WHICH).out == \
            f"{name} (enforce)\n"
        done = coracle("run", "--rm", *how, "--apparmor-profile", name, busybox, "t", "sh", "-c", "/bin/true", code=126)
        assert "Permission denied" in done.err


@needs_apparmor
def test_exec_and_a_second_start(busybox, load):
    name = load("coracle-test", "file, capability, signal, network,")
    coracle("run", "-d", "--apparmor-profile", name, busybox, "web", "sleep", "1000")
    try:
        assert coracle("exec", "web", *WHICH).out == f"{name} (enforce)\n"
        coracle("stop", "--time", "0", "web")
        coracle("start", "-d", "web")
        assert coracle("exec", "-u", "7", "web", *WHICH, "/proc/1/attr/current").out == f"{name} (enforce)\n" * 2
    finally:
        coracle("rm", "-f", "web")


@needs_apparmor
def test_nothing_of_the_hosts_proc_goes_in(busybox, load):
    """What init found itself by is closed in the program."""
    name = load("coracle-test", "file, signal,")
    for how in [], ["--init"]:
        out = coracle("run", "--rm", *how, "--apparmor-profile", name, busybox, "t", "ls", "/proc/self/fd").out
        assert out.split() == ["0", "1", "2", "3"]  # 3: ls's own
