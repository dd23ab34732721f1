#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds and installs coracle on Debian 12, gives it a network, and shows a container that uses it.
#
#   ./install.sh [--prefix DIR] [--no-deps] [--ctr] [--windows]
#   ./install.sh --uninstall [--prefix DIR]
#
#   --prefix DIR   where to install; default /usr/local
#   --no-deps      don't install Debian packages; say what is missing
#   --ctr          make the `ctr` link even if another ctr is in the path
#   --windows      add Wine and what Windows images need, and show a Windows container
#   --uninstall    remove what was installed; images and containers stay
#   --help         this text
#
# It may be run again, and interrupted at any moment: the next run ends in the same state. Whatever
# it writes is written beside its place and renamed; what it installed is listed in
# DIR/share/coracle/manifest before the first file is in place.
set -euo pipefail
cd "$(dirname "$0")"

net_d=/etc/cni/net.d
build=build-release
prefix=/usr/local deps=1 force_ctr= uninstall= windows=

usage() { sed -n '3,/^set /{/^set /d;s/^# \{0,1\}//;p}' install.sh; }
say() { printf '%s\n' "$*"; }
step() { printf '== %s\n' "$*"; }
die() # MESSAGE [HINT]
{
	printf 'install.sh: %s\n' "$1" >&2
	[ -z "${2-}" ] || printf 'hint: %s\n' "$2" >&2
	exit 1
}

while [ $# -gt 0 ]; do
	case $1 in
	--prefix) [ $# -gt 1 ] || die "--prefix needs a folder"; prefix=$2 && shift ;;
	--prefix=*) prefix=${1#*=} ;;
	--no-deps) deps= ;;
	--ctr) force_ctr=1 ;;
	--windows) windows=1 ;;
	--uninstall) uninstall=1 ;;
	-h | --help) usage && exit 0 ;;
	*) die "unknown argument $1" "./install.sh --help shows what there is" ;;
	esac
	shift
done
case $prefix in
/*) ;;
*) prefix=$PWD/$prefix ;;
esac
prefix=${prefix%/}
share=$prefix/share/coracle
manifest=$share/manifest
conflist=$share/net.d/50-coracle-nat.conflist

# --- dependencies --------------------------------------------------------------------------------

check_machine()
{
	[ "$(uname -s)" = Linux ] || die "coracle needs Linux, this is $(uname -s)"
	[ "$(uname -m)" = x86_64 ] || die "coracle runs on x86_64 as yet, this is $(uname -m)"
	[ -n "$deps" ] || return 0
	local id= version= name=
	if [ -r /etc/os-release ]; then
		id=$(. /etc/os-release && echo "${ID-}")
		version=$(. /etc/os-release && echo "${VERSION_ID-}")
		name=$(. /etc/os-release && echo "${PRETTY_NAME-}")
	fi
	[ "$id $version" = "debian 12" ] || die "this is ${name:-an unknown system}, not Debian 12" \
		"install what tools/packages names as build and demo, then: ./install.sh --no-deps"
}

missing_packages()
{
	local package
	for package in $(awk -v windows="$windows" '$1 == "build" || $1 == "demo" || windows && $1 == "windows" { print $2 }' tools/packages); do
		case $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) in
		installed) ;;
		*) printf '%s ' "$package" ;;
		esac
	done
}

install_dependencies()
{
	local missing
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0
	step "installing Debian packages: $missing"
	# An earlier run may have been cut off in the middle of dpkg.
	dpkg --configure -a >/dev/null 2>&1 || true
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -q update || say "apt-get update failed; going on with the lists that are there"
	# shellcheck disable=SC2086
	apt-get -q -q install -y --no-install-recommends $missing >/dev/null ||
		die "apt-get could not install: $missing" "see what it printed above"
}

check_tools()
{
	local tool missing=
	for tool in cc meson ninja pkg-config musl-gcc ${windows:+x86_64-w64-mingw32-gcc}; do
		command -v "$tool" >/dev/null || missing="$missing $tool"
	done
	[ -z "$missing" ] || die "missing programs:$missing" \
		"install what tools/packages names as build, or leave out --no-deps"
}

# --- files ---------------------------------------------------------------------------------------

compile()
{
	step "building (release, link-time optimisation)"
	local options=("--prefix=$prefix" --libexecdir=libexec -Dbuildtype=release -Db_lto=true -Dtests=disabled)
	# The Windows programs are built where there is a compiler for them.
	local wanted="${options[*]} $(command -v x86_64-w64-mingw32-gcc || true)"
	if [ ! -f "$build/build.ninja" ] || [ "$(cat "$build/.options" 2>/dev/null)" != "$wanted" ]; then
		rm -rf "$build"
		quietly meson setup "$build" "${options[@]}"
		echo "$wanted" >"$build/.options"
	fi
	quietly ninja -C "$build"
	rm -rf "$build/stage"
	DESTDIR=$PWD/$build/stage quietly meson install -C "$build" --no-rebuild
	[ -x "$build/stage$prefix/bin/coracle" ] || die "the build has no bin/coracle" "see $build.log"
}

quietly()
{
	"$@" >"$build.log" 2>&1 && return
	tail -n 30 "$build.log" >&2
	die "$1 failed" "the whole output is in $build.log"
}

# Beside its place, then renamed: nobody sees half a file, and a running program keeps its old one.
put() # FROM TO
{
	mkdir -p "${2%/*}"
	cp -P --preserve=mode,timestamps "$1" "$2.coracle-new"
	mv -f -T "$2.coracle-new" "$2"
}

# Is the `ctr` in the path somebody else's?
foreign_ctr()
{
	local dir
	local IFS=:
	for dir in $PATH; do
		[ -x "$dir/ctr" ] || continue
		[ "$(readlink "$dir/ctr")" = coracle ] || echo "$dir/ctr"
		return
	done
}

wanted_files() # paths relative to the prefix
{
	(cd "$build/stage$prefix" && find . \( -type f -o -type l \) -printf '%P\n')
	echo share/coracle/net.d/50-coracle-nat.conflist
	echo share/coracle/busybox-image
	[ -z "$make_ctr" ] || echo bin/ctr
	echo share/coracle/manifest
}

install_files()
{
	step "installing under $prefix"
	local foreign file wanted old=
	make_ctr=1
	foreign=$(foreign_ctr)
	if [ -e "$prefix/bin/ctr" ] && [ "$(readlink "$prefix/bin/ctr")" != coracle ]; then
		[ -z "$force_ctr" ] || die "$prefix/bin/ctr is not ours" "move it away first"
		make_ctr=
	elif [ -n "$foreign" ] && [ -z "$force_ctr" ]; then
		make_ctr=
	fi
	wanted=$(wanted_files | sort -u)
	[ ! -f "$manifest" ] || old=$(cat "$manifest")
	mkdir -p "$share"
	# Until all is in place the list names the old files and the new ones.
	printf '%s\n%s\n' "$wanted" "$old" | sort -u | sed '/^$/d' >"$manifest.coracle-new"
	mv -f "$manifest.coracle-new" "$manifest"

	while read -r file; do
		put "$build/stage$prefix/$file" "$prefix/$file"
	done < <(cd "$build/stage$prefix" && find . \( -type f -o -type l \) -printf '%P\n')
	put tools/busybox-image "$share/busybox-image"
	[ -f "$conflist" ] || write_conflist "$conflist"
	if [ -n "$make_ctr" ]; then
		ln -sfn coracle "$prefix/bin/ctr.coracle-new"
		mv -f -T "$prefix/bin/ctr.coracle-new" "$prefix/bin/ctr"
	fi
	# What an older version had and this one hasn't.
	while read -r file; do
		[ -z "$file" ] || rm -f "$prefix/$file"
	done < <(comm -13 <(say "$wanted") <(say "$old" | sort -u))
	# So that Windows containers start at once in any store. Others stay: containers may stand on them.
	if [ -n "$windows" ]; then
		"$prefix/bin/coracle" __template || die "what Windows containers stand on could not be made"
	fi
	say "$wanted" >"$manifest.coracle-new"
	mv -f "$manifest.coracle-new" "$manifest"
}

# --- the network ---------------------------------------------------------------------------------

# Does a route of this machine touch 10.N.0.0/16? /proc/net/route has addresses in host order.
subnet_in_use() # N
{
	local iface dest rest mask net=$((10 << 24 | $1 << 16)) wide=$((0xffff0000)) d m both
	while read -r iface dest rest; do
		[ "$iface" != Iface ] && [ "$iface" != coracle0 ] || continue
		# shellcheck disable=SC2086
		set -- $rest
		mask=$6
		d=$((0x${dest:6:2}${dest:4:2}${dest:2:2}${dest:0:2}))
		m=$((0x${mask:6:2}${mask:4:2}${mask:2:2}${mask:0:2}))
		both=$((m & wide))
		[ "$m" -eq 0 ] || [ $((d & both)) -ne $((net & both)) ] || return 0
	done <"${PROC_NET_ROUTE:-/proc/net/route}"
	return 1
}

# The N of 10.N.0.0/16 that our bridge has from an earlier installation, if it is still there.
subnet_of_bridge()
{
	local iface dest rest
	while read -r iface dest rest; do
		[ "$iface" != coracle0 ] || [ "${dest:6:2}" != 0A ] || { say $((0x${dest:4:2})) && return; }
	done <"${PROC_NET_ROUTE:-/proc/net/route}"
}

write_conflist() # PATH
{
	local n found=
	for n in $(subnet_of_bridge) 88 89 90 91 144 145 200 201; do
		subnet_in_use "$n" || { found=$n && break; }
	done
	[ -n "$found" ] || die "none of 10.{88,89,90,91,144,145,200,201}.0.0/16 is free here" \
		"write a network configuration of your own to $net_d"
	mkdir -p "${1%/*}"
	cat >"$1.coracle-new" <<END
{
  "cniVersion": "1.0.0",
  "name": "coracle-nat",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "coracle0",
      "isGateway": true,
      "ipMasq": true,
      "hairpinMode": true,
      "ipam": {
        "type": "host-local",
        "ranges": [[{ "subnet": "10.$found.0.0/16" }]],
        "routes": [{ "dst": "0.0.0.0/0" }]
      }
    },
    {
      "type": "portmap",
      "capabilities": { "portMappings": true }
    }
  ]
}
END
	mv -f "$1.coracle-new" "$1"
}

# The first configuration as a CNI program finds it: by name, bytewise.
first_configuration()
{
	(
		LC_ALL=C
		shopt -s nullglob
		for file in "$net_d"/*; do
			case $file in
			*.conf | *.conflist | *.json) [ -d "$file" ] || { say "$file" && break; } ;;
			esac
		done
	)
}

configure_network()
{
	[ -z "$(first_configuration)" ] || return 0
	step "no network configuration in $net_d: writing 50-coracle-nat.conflist"
	mkdir -p "$net_d"
	put "$conflist" "$net_d/50-coracle-nat.conflist"
}

# A name for our configuration that comes before another file's.
name_before() # FILE
{
	local name other=${1##*/}
	local LC_ALL=C
	for name in 00-coracle-nat 0-0-coracle-nat +0-coracle-nat '!0-coracle-nat'; do
		if [[ $name.conflist < $other ]]; then
			say "$name.conflist"
			return
		fi
	done
	say '!!!-coracle-nat.conflist'
}

# --- the demonstration ---------------------------------------------------------------------------

# What the container runs: its address, and a ping of the gateway that its default route names.
demo='ip -4 -o addr show dev eth0 | sed "s/^.*inet \([^ ]*\).*/address: \1/"
gateway=$(ip -4 route show default | sed "s/.*via \([^ ]*\).*/\1/")
[ -n "$gateway" ] || { echo "the network gives no gateway" >&2; exit 1; }
ping -c 3 -i 0.3 "$gateway"'

run_demo() # [ENVIRONMENT...]
{
	env "$@" "$prefix/bin/coracle" run --rm --cni busybox "coracle-demo-$$" sh -c "$demo"
}

demonstrate()
{
	local first refused= images
	step "a container with a network"
	# What a demonstration that was cut off has left.
	"$prefix/bin/coracle" gc >/dev/null || die "the store could not be cleaned"
	images=$("$prefix/bin/coracle" images ls -q) || die "the store could not be read"
	if ! grep -qx docker.io/library/busybox:latest <<<"$images"; then
		"$share/busybox-image" "$build/busybox.tar" || die "the busybox image could not be made"
		"$prefix/bin/coracle" images import "$build/busybox.tar" || die "the busybox image could not be imported"
	fi
	first=$(first_configuration)
	if [ -n "$first" ] && ! cmp -s "$first" "$conflist"; then
		run_demo >"$build/demo.log" 2>&1 && { cat "$build/demo.log" && return; }
		refused=$(tail -n 20 "$build/demo.log" | sed -n 's/^coracle: //p;/^coracle: /q')
		[ -n "$refused" ] || refused=$(tail -n 1 "$build/demo.log")
		run_demo NETCONFPATH="$share/net.d" ||
			die "the demonstration failed, with $first and with our own configuration" \
				"coracle run --rm --cni busybox demo ip addr shows more with --debug before run"
		before=$net_d/$(name_before "$first")
		trouble="$first can't be used here: $refused"
		return
	fi
	run_demo || die "the demonstration failed" "coracle --debug run … shows each step"
}

# In a store of its own, on the file system of the usual one: it leaves nothing there.
demonstrate_windows()
{
	local store gateway done=
	step "a Windows container, with Wine $(/usr/lib/wine/wine64 --version 2>/dev/null | sed 's/^wine-//')"
	store=$(mktemp -d /var/lib/coracle/demo.XXXXXX)
	local in_store=("$prefix/bin/coracle" --root "$store/root" --state "$store/state")
	local environment=()
	[ -z "${trouble-}" ] || environment=(NETCONFPATH="$share/net.d")
	windows_container() { env "${environment[@]}" "${in_store[@]}" run --rm --cni nanoserver windows-demo cmd /c "$@" | tr -d '\r'; }
	if "${in_store[@]}" images create-windows-base nanoserver >"$build/demo.log" 2>&1 &&
		gateway=$(windows_container ipconfig 2>>"$build/demo.log" | sed -n 's/^ *Default Gateway[ .]*: *//p') &&
		[ -n "$gateway" ] && windows_container "ipconfig && ping -n 2 $gateway"; then
		done=1
		# Wine 8's cmd goes on behind && whatever came before (mended in 2024).
		[ -z "$(windows_container 'cmd /c exit 1 && echo ran' 2>/dev/null)" ] || windows_note=1
	fi
	"${in_store[@]}" gc >/dev/null 2>&1 || true
	rm -rf "$store"
	[ -n "$done" ] || { tail -n 5 "$build/demo.log" >&2 && die "the Windows demonstration failed" \
		"coracle --debug run … shows each step"; }
}

# A member of what `coracle info` says of Wine, line by line.
wine_says() # NAME
{
	"$prefix/bin/coracle" info | sed -n '/"windows": {/,/^    }/p' |
		sed -n '/"'"$1"'": "/{s/.*": "\(.*\)",*$/\1/p;q};/"'"$1"'": \[/,/^        ]/{/^            "/{s/^ *"\(.*\)",*$/\1/;p}}' |
		sed 's/\\u0026/\&/g;s/\\"/"/g'
}

last_words()
{
	local coracle=coracle
	[[ :$PATH: == *":$prefix/bin:"* ]] || coracle=$prefix/bin/coracle
	say
	say "$("$prefix/bin/coracle" --version 2>/dev/null || say coracle) is installed under $prefix. What to type next:"
	say
	say "  $coracle run --rm --cni busybox hello ip addr    a container with a network"
	say "  $coracle images ls                               what is there to run"
	say "  $coracle images import FILE.tar                  more of it, from docker save or skopeo copy"
	say "  $coracle --help"
	if [ -n "$windows" ]; then
		say "  $coracle images create-windows-base win && $coracle run --rm win hello ipconfig"
		say
		say "This Wine ($(wine_says wine)) is unlike Windows in this:"
		wine_says unlike_windows | sed 's/^/  - /'
		[ -z "${windows_note-}" ] ||
			say "So a failed step of a build may look green: one that was tried here did."
	fi
	local foreign
	foreign=$(foreign_ctr)
	if [ -n "$foreign" ]; then
		say
		[ -n "$make_ctr" ] && say "Note: $foreign comes before $prefix/bin/ctr in the path." ||
			say "Note: there is another ctr, $foreign; no link was made. --ctr makes it all the same."
	fi
	if [ -n "${trouble-}" ]; then
		say
		say "Note: $trouble"
		say "Other programs read that folder too, so nothing was written. To put ours before it:"
		say
		say "  cp $conflist '$before'"
	fi
}

# --- uninstall -----------------------------------------------------------------------------------

remove_all()
{
	[ -f "$manifest" ] || die "nothing is installed under $prefix (no $manifest)" \
		"name the folder that you installed to: ./install.sh --uninstall --prefix DIR"
	local file dir
	# Ours, under whatever name it was put there, if nobody changed it.
	for file in "$net_d"/*; do
		cmp -s "$file" "$conflist" && rm -f "$file" && say "removed $file"
	done
	rmdir -p --ignore-fail-on-non-empty "$net_d" 2>/dev/null || true
	# Its bridge, unless a container still uses it.
	if [ -z "$(ls /sys/class/net/coracle0/brif 2>/dev/null)" ]; then
		ip link del coracle0 2>/dev/null || true
	fi
	# The manifest goes last: a removal that is cut off can be run again.
	while read -r file; do
		case $file in
		'' | /* | *..*) continue ;;
		bin/ctr) [ "$(readlink "$prefix/$file")" = coracle ] || continue ;;
		share/coracle/manifest) continue ;;
		esac
		rm -f "$prefix/$file" "$prefix/$file.coracle-new"
	done <"$manifest"
	while read -r dir; do
		rmdir --ignore-fail-on-non-empty "$prefix/$dir" 2>/dev/null || true
	done < <(sed '/^share\/coracle\/manifest$/d' "$manifest" | own_folders)
	rm -rf "$prefix/libexec/coracle/templates"
	rmdir --ignore-fail-on-non-empty "$prefix/libexec/coracle" 2>/dev/null || true
	rm -f "$manifest.coracle-new" "$manifest"
	rmdir --ignore-fail-on-non-empty "$share" 2>/dev/null || true
	say "coracle is removed from $prefix."
	say "Images and containers stay in /var/lib/coracle, network leases in /var/lib/cni; remove them with"
	say "  rm -rf /var/lib/coracle /run/coracle"
}

# The folders below which we were alone, deepest first: never bin/, share/ or their like.
own_folders()
{
	awk -F/ '{ path = $1; for (i = 2; i < NF; i++) { path = path "/" $i; if (path ~ /coracle/) print path } }' |
		sort -ur
}

# --- the run -------------------------------------------------------------------------------------

[ "$(id -u)" = 0 ] || die "installing needs root (packages, network, a container)" "sudo ./install.sh"
if [ -n "$uninstall" ]; then
	remove_all
	exit
fi
check_machine
mkdir -p "$prefix"
exec 9<"$prefix"
# Patient: what a killed one has left may still be ending.
flock -w 10 9 || die "another install.sh works on $prefix"
[ -z "$deps" ] || install_dependencies
check_tools
compile
install_files
configure_network
demonstrate
[ -z "$windows" ] || demonstrate_windows
last_words
