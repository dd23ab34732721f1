# SPDX-License-Identifier: Apache-2.0
"""Every rule of tools/rooms fails when it is broken, and says what is wrong."""
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
TABLE = """\
# room floor uses notes
base   1   -             pure opens text.h
tar    2   base          pure
store  3   base
engine 4   store base
"""
HOUSE = {
    "base/text.h": "",
    "base/text.c": '#include "base/text.h"\n',
    "tar/tar.h": '#include "base/text.h"\n',
    "tar/tar.c": '#include "tar/tar.h"\n#include "tar/pax.h"\n',
    "tar/pax.h": "",
    "tar/pax.c": '#include "tar/pax.h"\n#include "tar/tar.h"\n',
    "store/store.h": "",
    "store/linux/files.h": "",
    "store/store.c": '#include "store/store.h"\n#include "store/linux/files.h"\n',
    "engine/engine.h": '#include "store/store.h"\n#include <stdio.h>\n',
}


class Rooms(unittest.TestCase):
    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="rooms-"))
        self.addCleanup(shutil.rmtree, self.top)
        (self.top / "tools").mkdir()
        shutil.copy(TOP / "tools/rooms", self.top / "tools/rooms")
        self.write("ROOMS", TABLE)
        for path, text in HOUSE.items():
            self.write(path, SPDX + text)
            self.write(path.split("/")[0] + "/README.md", "What it does.\n")

    def write(self, path, text):
        path = self.top / "src" / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def add(self, path, text):
        self.write(path, (self.top / "src" / path).read_text() + text)

    def run_tool(self, *args):
        run = subprocess.run([self.top / "tools/rooms", *args], capture_output=True, text=True)
        return run.returncode, run.stdout + run.stderr

    def finds(self, *findings, args=()):
        code, output = self.run_tool(*args)
        self.assertEqual((code, output), (1, "".join(f + "\n" for f in findings)))

    def test_a_sound_house(self):
        self.assertEqual(self.run_tool(), (0, "rooms: 4 rooms, 10 files: all is well\n"))

    def test_undeclared_use(self):
        self.add("engine/engine.h", '#include "tar/tar.h"\n')
        self.finds("engine/engine.h: engine may not use tar: its row in ROOMS doesn't say so")

    def test_nothing_is_transitive(self):
        self.write("ROOMS", TABLE.replace("engine 4   store base", "engine 4   store"))
        self.add("engine/engine.h", '#include "base/text.h"\n')
        self.finds("engine/engine.h: engine may not use base: its row in ROOMS doesn't say so")

    def test_upward_use(self):
        self.add("store/store.c", '#  include "engine/engine.h"\n')
        self.finds("store/store.c: store may not use engine: it stands higher")

    def test_upward_row(self):
        self.write("ROOMS", TABLE.replace("store  3   base", "store  3   base engine"))
        self.finds("ROOMS:4: store uses engine, which has no row above")

    def test_row_on_a_higher_floor(self):
        self.write("ROOMS", TABLE.replace("engine 4", "engine 2"))
        self.finds("ROOMS:5: engine (floor 2) uses store, which stands higher (floor 3)")

    def test_private_header(self):
        self.add("engine/engine.h", '#include "store/linux/files.h"\n')
        self.finds("engine/engine.h: store/linux/files.h is private to store")

    def test_opened_header(self):
        self.write("ROOMS", TABLE.replace("store  3   base", "store  3   base  opens linux/files.h"))
        self.add("engine/engine.h", '#include "store/linux/files.h"\n')
        self.assertEqual(self.run_tool()[0], 0)

    def test_opened_header_is_missing(self):
        self.write("ROOMS", TABLE.replace("store  3   base", "store  3   base  opens gone.h"))
        self.finds("ROOMS: store opens gone.h, which doesn't exist")

    def test_cycle(self):
        self.write("store/lease.h", SPDX)
        self.write("store/lock.h", SPDX)
        self.write("store/lease.c", SPDX + '#include "store/lease.h"\n#include "store/lock.h"\n')
        self.assertEqual(self.run_tool()[0], 0)
        self.write("store/lock.c", SPDX + '#include "store/lock.h"\n#include "store/lease.h"\n')
        self.finds("store: the includes go round: lease -> lock -> lease")

    def test_include_without_room(self):
        self.add("tar/tar.c", '#include "pax.h"\n')
        self.finds('tar/tar.c: include "pax.h" by its path from src/, ROOM/header.h')

    def test_missing_readme(self):
        (self.top / "src/tar/README.md").unlink()
        self.finds("tar: has code but no README.md")

    def test_long_readme(self):
        self.write("tar/README.md", "line\n" * 31)
        self.finds("tar/README.md: longer than 30 lines")

    def test_missing_contract(self):
        (self.top / "src/engine/engine.h").rename(self.top / "src/engine/run.h")
        self.finds("engine: has code but no contract engine/engine.h")

    def test_room_without_code_needs_no_papers(self):
        self.write("ROOMS", TABLE + "cli 5 engine base\n")
        self.finds("ROOMS: cli has a row but no folder")
        (self.top / "src/cli").mkdir()
        self.assertEqual(self.run_tool()[0], 0)

    def test_folder_without_row(self):
        self.write("utils/utils.h", SPDX)
        self.finds("utils/: a folder of src/ without a row in ROOMS")

    def test_missing_licence(self):
        self.write("tar/pax.h", "#pragma once\n")
        self.finds("tar/pax.h: the first line must be: // SPDX-License-Identifier: Apache-2.0")

    def test_pure_on_impure(self):
        self.write("ROOMS", TABLE.replace("engine 4   store base", "engine 4   store base  pure"))
        self.finds("ROOMS:5: engine is pure and uses store, which is not")

    def test_not_a_build_folder(self):
        folder = self.top / "nothing"
        self.assertEqual(self.run_tool(folder),
                         (2, f"rooms: {folder}: not a build folder (no build.ninja)\n"))

    def object(self, code, *flags, room="tar"):
        """Compiles `code` as pax.c's object of a room, where Meson would put it."""
        build = self.top / "build"
        folder = build / f"src/{room}/lib{room}.a.p"
        folder.mkdir(parents=True, exist_ok=True)
        (build / "build.ninja").touch()
        subprocess.run(["gcc", "-c", "-O2", *flags, "-x", "c", "-", "-o", folder / "pax.c.o"],
                       input=code, text=True, check=True)
        return build

    def test_pure_objects(self):
        allowed = '#include <string.h>\nint f(char *s) { return (int)strlen(s) + s[0]; }\n'
        forbidden = '#include <stdlib.h>\nchar *f(void) { return getenv("HOME"); }\n'
        for flags in ((), ("-flto",)):
            with self.subTest(flags=flags):
                code, output = self.run_tool(self.object(allowed, *flags))
                self.assertEqual(code, 0, output)
                self.assertIn("1 objects of the pure rooms", output)
                self.finds("tar: is pure, but pax.c needs getenv()",
                           args=[self.object(forbidden, *flags)])

    def test_two_rooms_define_one_name(self):
        code = "int report_error(void) { return 0; }\n"
        self.object(code)
        self.assertEqual(self.run_tool(self.top / "build")[0], 0)
        self.finds("store: defines report_error(), and so does tar",
                   args=[self.object(code, room="store")])


if __name__ == "__main__":
    unittest.main()
