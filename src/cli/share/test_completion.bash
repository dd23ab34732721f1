# SPDX-License-Identifier: Apache-2.0
# The bash completion in a real bash: test_completion.bash SCRIPT. The line is divided as readline
# divides it; a colon and an equals sign are words of their own.
coracle() {
	case "$*" in
	"images ls -q") printf '%s\n' docker.io/library/busybox:latest docker.io/library/debian:12 \
		docker.io/library/debian:latest docker.io/me/tool:1 example.org:5000/x:2 ;;
	"containers ls -q") printf '%s\n' web '$(exit)' ;;
	"namespaces ls -q") printf '%s\n' blue default ;;
	esac
}
compopt() { COMPREPLY+=("<$*>"); }
source "$1"
failed=0

complete_line() # LINE, cursor at its end: sets COMP_WORDS as readline does, and COMPREPLY
{
	COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=() COMPREPLY=()
	local rest=$1 part
	while [[ -n $rest ]]; do
		case $rest in
		[[:blank:]]*) rest=${rest#?}; [[ -n $rest ]] || COMP_WORDS+=(""); continue ;;
		[:=]*) part=${rest%%[^:=]*} ;;
		*) part=${rest%%[[:blank:]:=]*} ;;
		esac
		COMP_WORDS+=("$part")
		rest=${rest#"$part"}
	done
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	_coracle
}

check() # LINE WANTED
{
	complete_line "$1"
	if [[ "${COMPREPLY[*]-}" != "$2" ]]; then
		echo "$1: ${COMPREPLY[*]-}"
		echo "wanted: $2"
		failed=1
	fi
}

check "coracle images inspect bus" "busybox"
check "coracle run --rm -e A=1 bus" "busybox"
check "coracle images rm deb" "debian:12 debian"
check "coracle images rm debian:" "12"
check "coracle images rm debian:1" "12"
check "coracle images rm docker.io/library/debian:" "12 latest"
check "coracle images rm docker.io/library/debian:1" "12"
check "coracle images rm example.org:50" "5000/x:2"
check "coracle images rm example.org:5000/x:" "2"
check "coracle images rm me/" "me/tool:1"
check "coracle images rm " "busybox debian:12 debian me/tool:1 example.org:5000/x:2"
check "coracle i rm bus" "busybox"
check "coracle images ls --format " "table json"
check "coracle images ls --format j" "json"
check "coracle images ls --format=j" "json"
check "coracle images ls --format=" "table json"
check "coracle -n " "blue default"
check "coracle images ls -n b" "blue"
check "coracle --namespace=d" "default"
check "coracle run --snapshotter na" "native"
check "coracle kill -s KI" "KILL"
check "coracle t kill --signal US" "USR1 USR2"
check "coracle containers info " 'web \$\(exit\)'
check "coracle images import " "<-o default>"
check "coracle run --env-file " "<-o default>"
check "coracle imag" "images"
check "coracle images unm" "unmount"
check "coracle run --snapsh" "--snapshotter-label --snapshotter"
COMP_WORDBREAKS=${COMP_WORDBREAKS//:/}
complete_line "coracle images rm docker.io/library/debian:1"
[[ "${COMPREPLY[*]}" == docker.io/library/debian:12 ]] || { echo "without a colon: ${COMPREPLY[*]}"; failed=1; }
exit $failed
