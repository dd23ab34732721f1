#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# All tests, from a fresh clone on Debian 12.
#
#   ./test.sh [--soak] [--no-deps] [LAYER...]
#
#   --soak      the long version: fuzzers for ten minutes each, kills and power cuts by the hundred
#   --no-deps   take what is installed; otherwise missing Debian packages are installed (as root)
#   LAYER       only these of: build rooms unit sanitize mingw fuzz e2e golden faults install;
#               test/README.md says what each is for
#
# Every layer prints its time and its count; the last line counts all. Logs: build-test/LAYER.log
set -uo pipefail
cd "$(dirname "$0")" || exit 2
top=$PWD

all=(build rooms unit sanitize mingw fuzz e2e golden faults install)
usage() { sed -n '3,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; }

soak= deps=1 chosen=()
while [ $# -gt 0 ]; do
	case $1 in
	--soak) soak=1 ;;
	--no-deps) deps= ;;
	-h | --help) usage && exit 0 ;;
	-*) echo "test.sh: unknown flag $1; --help shows what there is" >&2 && exit 2 ;;
	*)
		[[ " ${all[*]} " == *" $1 "* ]] ||
			{ echo "test.sh: unknown layer $1; there are: ${all[*]}" >&2 && exit 2; }
		chosen+=("$1")
		;;
	esac
	shift
done
[ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")

export CORACLE_SOAK=$soak
# Debian's Python has pytest; another one in the path needn't.
python=/usr/bin/python3
logs=$top/build-test
mkdir -p "$logs"
counts=$logs/counts
: >"$counts"

# --- what a layer is made of ---------------------------------------------------------------------

count() { echo "$1 $2 $3" >>"$counts"; } # PASSED FAILED SKIPPED

# One command that passes or fails as a whole. Its output is shown when it fails.
check() # NAME COMMAND...
{
	local name=$1 log out
	shift
	log=$logs/check.log
	if "$@" >"$log" 2>&1; then
		count 1 0 0
		echo "ok      $name"
	else
		count 0 1 0
		echo "FAILED  $name: $*"
		# What went wrong first, wherever parallel work has pushed it; then the end.
		grep -nE -A5 '(error|FAILED|Error):' "$log" | head -n 40 | sed 's/^/        /'
		tail -n 20 "$log" | sed 's/^/        /'
		return 1
	fi
}

skip() # NAME REASON
{
	count 0 0 1
	echo "skipped $1: $2"
}

# A build folder, made once and brought up to date afterwards; anew when its options change.
build() # FOLDER [MESON-OPTION...]
{
	local folder=$1
	shift
	if [ ! -f "$folder/build.ninja" ] || [ "$(cat "$folder/.options")" != "$*" ]; then
		rm -rf "$folder"
		meson setup "$folder" "$@" && echo "$*" >"$folder/.options" || return 1
	fi
	ninja -C "$folder"
}

# Unit tests of a build folder, counted one by one.
unit() # FOLDER
{
	meson test -C "$1" --suite unit --no-rebuild --num-processes "$(nproc)" >"$logs/meson.log" 2>&1
	"$python" tools/testlog "$1" "$counts" || return 1
}

# A folder of pytest tests. As root and in namespaces of their own: test/e2e/conftest.py sees to it.
pytests() # FOLDER
{
	local report=$logs/junit.xml
	rm -f "$report"
	"$python" -m pytest -q -rs -p no:cacheprovider --junitxml="$report" "$1" | grep -v '^$'
	"$python" tools/testlog --junit "$report" "$counts"
}

have() { [ -n "$(find "$1" -name "$2" -print -quit 2>/dev/null)" ]; }

# --- the layers ----------------------------------------------------------------------------------

layer_build()
{
	check "gcc, as a developer builds it" build build-debug -Dwerror=true
	# Warnings are no errors here: with sanitizers gcc 12 warns of paths that don't exist.
	check "gcc with address and undefined-behaviour sanitizers" \
		build build-asan -Db_sanitize=address,undefined
	CC=clang-14 check "clang" build build-clang -Dwerror=true
}

format() { find src test -name '*.[ch]' -print0 | xargs -0 -r clang-format-14 --dry-run -Werror; }

scripts_parse()
{
	local script
	for script in $(git ls-files '*.sh' .ci/run test/fixtures/make test/fixtures/programs test/e2e/walk); do
		bash -n "$script" || return 1
	done
}

layer_rooms()
{
	check "the rooms" tools/rooms build-debug
	check "each rule of tools/rooms" "$python" test/tools/test_rooms.py
	check "clang-format" format
	check "shell scripts parse" scripts_parse
}

layer_unit() { unit build-debug; }

layer_sanitize()
{
	export ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
	unit build-asan
}

layer_mingw() { check "the pure rooms compile with mingw-w64" tools/mingw.sh "$top/build-mingw"; }

layer_fuzz()
{
	CC=clang-14 check "fuzzers" build build-fuzz -Dfuzzers=true -Dtests=disabled \
		-Db_sanitize=address,undefined -Db_lundef=false || return
	local seconds=10 target
	[ -z "$soak" ] || seconds=600
	for target in $(find build-fuzz -type f -name 'fuzz_*' -perm -u+x | sort); do
		check "$(basename "$target"), $seconds s" tools/fuzz.sh "$target" "$seconds"
	done
}

root_only() # NAME: end-to-end tests make namespaces and mounts
{
	[ "$(id -u)" = 0 ] && return
	skip "$1" "needs root"
	return 1
}

layer_e2e()
{
	have test/e2e 'test_*.py' && root_only e2e || return
	check "fixtures" test/fixtures/make || true
	test/fixtures/programs 2>"$logs/programs.log" ||
		skip "programs of others for Windows" "$(paste -sd';' "$logs/programs.log" | tail -c 300)"
	pytests test/e2e
}

layer_golden() { have test/golden 'test_*.py' && root_only golden && pytests test/golden; }
layer_faults() { have test/fault 'test_*.py' && root_only faults && pytests test/fault; }
layer_install() { have test/install 'test_*.py' && root_only install && pytests test/install; }

# --- dependencies, the run, the figures at its end -----------------------------------------------

missing_packages()
{
	local wanted
	wanted=$(awk '!/^#/ && NF == 2 { print $2 }' tools/packages)
	# shellcheck disable=SC2086
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
		awk -v wanted="$wanted" '$2 == "installed" { have[$1] = 1 }
			END { n = split(wanted, w, "\n"); for (i = 1; i <= n; i++) if (!(w[i] in have)) print w[i] }'
}

dependencies()
{
	local missing
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0
	if [ "$(id -u)" != 0 ]; then
		echo "test.sh: missing packages, install them as root or use --no-deps:" $missing >&2
		exit 2
	fi
	echo "== installing" $missing
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -q >"$logs/apt.log" 2>&1
	# shellcheck disable=SC2086
	apt-get install -q -y --no-install-recommends $missing >>"$logs/apt.log" 2>&1 ||
		{ tail -n 20 "$logs/apt.log" >&2 && exit 2; }
}

coverage()
{
	if ! build build-cov -Db_coverage=true >"$logs/coverage.log" 2>&1; then
		count 0 1 0
		echo "FAILED  the build for coverage: see $logs/coverage.log"
		return
	fi
	meson test -C build-cov --suite unit --no-rebuild >>"$logs/coverage.log" 2>&1
	if [ "$(id -u)" = 0 ] && have test/e2e 'test_*.py'; then
		CORACLE_BUILD=$top/build-cov timeout 300 "$python" -m pytest -q -p no:cacheprovider \
			-m quick test/e2e >>"$logs/coverage.log" 2>&1
	fi
	tools/metrics --coverage build-cov
}

[ -z "$deps" ] || dependencies
began=$SECONDS
for layer in "${chosen[@]}"; do
	echo "== $layer"
	start=$(date +%s.%N)
	before=$(wc -l <"$counts")
	"layer_$layer" 2>&1 | tee "$logs/$layer.log"
	awk -v layer="$layer" -v from="$before" -v start="$start" -v end="$(date +%s.%N)" \
		'NR > from { p += $1; f += $2; s += $3 }
		END { printf "-- %s: %d passed, %d failed, %d skipped, %.1f s\n", layer, p, f, s, end - start }' \
		"$counts"
done

echo "== figures"
tools/metrics
[ ${#chosen[@]} -ne ${#all[@]} ] || coverage
printf -- '-- whole: %d min %02d s\n' $(((SECONDS - began) / 60)) $(((SECONDS - began) % 60))
awk '{ p += $1; f += $2; s += $3 }
	END { printf "%d passed, %d failed, %d skipped\n", p, f, s; exit f > 0 || p == 0 }' "$counts"
