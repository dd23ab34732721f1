// SPDX-License-Identifier: Apache-2.0
// What runtime/ and the monitor (coracle-shim) say to each other.
//
// Start. The creator makes two processes in one go: a child S of its own, and init as the child of
// S. Init prepares itself and waits at the go pipe; S executes coracle-shim with
//     coracle-shim NS/ID INSTANCE PID OUTPUT [-- CLEANER ARG…]
// (INSTANCE 16 hexadecimal digits, PID init's, OUTPUT see below), /dev/null as 0 to 2, the
// descriptors below, and all signals blocked. From then on it is init's parent and never allocates.
//
// Control. SHIM_FD_CONTROL leads to the creator. Its end without SHIM_BYE means that nobody is
// there: before SHIM_START init is killed; after init's end the cleaner is executed. Peers. Others
// connect to the socket `monitor.sock` in the state directory; they may ask and signal, but their
// going means nothing.
//
// Messages are one struct shim_message each, on SOCK_SEQPACKET sockets, in the byte order of the
// machine: both sides come from one build, `version` refuses another one.
//
// OUTPUT says what becomes of what comes from SHIM_FD_FROM:
//     copy               it goes to SHIM_FD_TO; a reader that is gone closes the pipe
//     file               the same, but what can't be written is dropped: the program goes on
//     log:SIZE:FILES     it goes to the log in the state directory (shim/log.h)
//     tty, tty:SIZE:FILES   init has a terminal, and sends master and slave (SCM_RIGHTS, one byte)
//                        through the socket that SHIM_FD_FROM is here; the second logs it
//     tty:file           the same, and what comes out goes to SHIM_FD_TO, too
#pragma once
#include <stdint.h>

#define SHIM_VERSION 1
#define SHIM_LOCK "monitor.lock"
#define SHIM_SOCKET "monitor.sock"
#define SHIM_EXIT "exit"
#define SHIM_EXIT_NEW "exit.new" // before it is renamed

enum shim_fd {
	SHIM_FD_CONTROL = 3,
	SHIM_FD_GO,     // init's go pipe, to write. Its closing tells init that its parent has died
	SHIM_FD_STATE,  // the state directory; absent, with the next two: nobody else can find us
	SHIM_FD_LOCK,   // locked by the creator; the lock lives as long as this
	SHIM_FD_LISTEN, // monitor.sock, listening, not blocking
	SHIM_FD_INIT,   // init's pidfd
	SHIM_FD_FROM, // [2]: pipes of init's output, to read, not blocking; absent where not copied
	SHIM_FD_TO = SHIM_FD_FROM + 2, // [2]: where it goes
	// An eventfd that init has, too: its exit code plus one, if it needs more bits than the 8
	// that the kernel tells a parent. Absent: it has no more
	SHIM_FD_CODE = SHIM_FD_TO + 2,
	SHIM_FD_KEEP, // nothing is done with it: a lock that lasts as long as the monitor
	SHIM_FD_END,
};

enum shim_kind {
	// From the creator alone.
	SHIM_START =
		1, // let init execute. SCM_RIGHTS: what to hold open until SHIM_BYE (namespace)
	SHIM_BYE,  // I have cleaned: end, without the cleaner
	// From anybody.
	SHIM_STATE = 16, // answered by SHIM_IS
	SHIM_SIGNAL,     // value: the signal for init. Answered by SHIM_DONE
	SHIM_WAIT,       // answered by SHIM_ENDED when it has ended, or now
	// Answers.
	SHIM_IS = 32, // state, pid, instance; value: exit code if ended, 32 bits
	SHIM_DONE,    // value: 0 or an errno
	SHIM_ENDED,   // value: exit code. Sent to the creator unasked
	SHIM_LOST, // value: errno: output couldn't be written to SHIM_FD_TO. To the creator, before
	// Terminals, from anybody.
	SHIM_ATTACH = 48, // SCM_RIGHTS: a stream socket (shim/terminal.h). Answered by SHIM_DONE
	SHIM_RESIZE,      // value: rows << 16 | columns
};

enum shim_state { SHIM_CREATED, SHIM_RUNNING, SHIM_STOPPED };

struct shim_message {
	uint16_t version; // SHIM_VERSION
	uint16_t kind;    // enum shim_kind
	int32_t value;
	uint32_t state; // enum shim_state
	int32_t pid;
	uint64_t instance;
};

// The last step of init. A process made by clone3 has its maker's executable as /proc/self/exe, and
// the kernel follows that link for an image whose program (or whose script's interpreter) is called
// so: our own file would run in the container, which could keep it open and rewrite it once nobody
// runs it (CVE-2019-5736). So init first becomes coracle-init (beside coracle-shim; static always,
// since nothing else of ours is in the container), from a read-only clone of its mount that nobody
// else sees, and that executes the program:
//     coracle-init REPORT FILTER FLAGS CAPABILITIES STAY HOOKS PROFILE PROGRAM ARG0…
// REPORT is the descriptor for a struct shim_report if it fails; FILTER that of a seccomp filter to
// be loaded with FLAGS (hexadecimal), or "-"; CAPABILITIES "P,E,I,A", hexadecimal masks of what is
// to be permitted, effective, inheritable and ambient, or "-": as it is.
//
// STAY is "-", or it stays and has the program as its child, docker's --init: it passes every
// signal on to it (but SIGCHLD; KILL and STOP nobody can), reaps whatever is left to it, and ends
// with its code, 128+n for a signal n, which ends all that live in its pid namespace. In one that
// is not its own it is a subreaper, and the program dies with it. "init": the program leads a group
// of its own; "tty": which is the foreground of the terminal at its standard input, too. REPORT
// tells of failures as without. The system calls that it needs beside those of any program must
// pass FILTER.
//
// HOOKS is the descriptor of a file with the hooks that run before all that, each as the program
// will, or "-". Texts, each with its zero: the state before and behind the pid (shim/hook.h), then
// of each hook TIMEOUT (seconds, or 0), the number of its arguments, that of its variables, PATH,
// the arguments, the variables.
//
// PROFILE is "FD,NAME", the host's /proc/TID of this process and the AppArmor profile that the
// program comes under when it is executed, or "-". One that stays goes there too, afterwards: a
// profile need not allow to execute the program.
#define SHIM_INIT "coracle-init"
enum { // before ARG0
	SHIM_INIT_STAY = 5,
	SHIM_INIT_HOOKS,
	SHIM_INIT_PROFILE,
	SHIM_INIT_ARGUMENTS = 9,
};

struct shim_report {
	uint32_t step;  // enum shim_report_step, or a step of runtime/linux/report.h
	int32_t sys;    // errno; of a hook what hook_run() returned
	int32_t index;  // into the step's list; -1
	char text[244]; // the kernel's or a hook's words, or ""; SHIM_REPORT_STAY: the system call
};
enum shim_report_step {
	SHIM_REPORT_CAPABILITIES = 1000,
	SHIM_REPORT_SECCOMP,
	SHIM_REPORT_EXEC,
	SHIM_REPORT_STAY,
	SHIM_REPORT_HOOK,
	SHIM_REPORT_PROFILE,
};
