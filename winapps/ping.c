// SPDX-License-Identifier: Apache-2.0
// ping, with Windows' texts. IPv4.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <winsock2.h>
#include <ws2tcpip.h>
//
#include "icmp.h"

enum { DATA_MAX = 65500 };

struct options {
	const char *host;
	unsigned count, timeout_ms, size;
	bool forever;
};

struct target {
	struct sockaddr_in address;
	char shown[INET_ADDRSTRLEN];
};

struct statistics {
	unsigned sent, received;
	unsigned least, most, sum; // ms
};

static struct statistics total; // for Ctrl-C
static const char *total_of;

static void report(const unsigned char *packet, size_t size, double took)
{
	size_t header = (size_t)(packet[0] & 15) * 4;
	char from[INET_ADDRSTRLEN];
	inet_ntop(AF_INET, packet + 12, from, sizeof(from));
	const unsigned char *icmp = packet + header;
	if (icmp[0] == ICMP_UNREACHABLE) {
		printf("Reply from %s: Destination %s unreachable.\n", from,
		       icmp[1] == 0   ? "net"
		       : icmp[1] == 1 ? "host"
		       : icmp[1] == 2 ? "protocol"
		                      : "port");
		return;
	}
	if (icmp[0] == ICMP_TIME_EXCEEDED) {
		printf("Reply from %s: TTL expired in transit.\n", from);
		return;
	}
	unsigned ms = (unsigned)took;
	printf("Reply from %s: bytes=%u ", from, (unsigned)(size - header - ICMP_HEADER));
	if (ms)
		printf("time=%ums ", ms);
	else
		printf("time<1ms ");
	printf("TTL=%u\n", packet[8]);
	total.least = !total.received || ms < total.least ? ms : total.least;
	total.most = ms > total.most ? ms : total.most;
	total.sum += ms;
	total.received++;
}

static void wait_for_answer(SOCKET s, unsigned id, unsigned sequence, unsigned timeout_ms)
{
	static unsigned char packet[65536];
	double sent = icmp_now_ms();
	for (;;) {
		double left = sent + timeout_ms - icmp_now_ms();
		DWORD wait = left < 1 ? 1 : (DWORD)left;
		setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&wait, sizeof(wait));
		int n = recv(s, (char *)packet, sizeof(packet), 0);
		double took = icmp_now_ms() - sent;
		if (n >= ICMP_IP_HEADER + ICMP_HEADER &&
		    icmp_is_answer(packet, (size_t)n, id, sequence)) {
			report(packet, (size_t)n, took);
			return;
		}
		if (took >= timeout_ms || (n < 0 && WSAGetLastError() != WSAEMSGSIZE)) {
			printf("Request timed out.\n");
			return;
		}
	}
}

static void print_statistics(void)
{
	unsigned lost = total.sent - total.received;
	printf("\nPing statistics for %s:\n", total_of);
	printf("    Packets: Sent = %u, Received = %u, Lost = %u (%u%% loss),\n", total.sent,
	       total.received, lost, lost * 100 / total.sent);
	if (total.received)
		printf("Approximate round trip times in milli-seconds:\n"
		       "    Minimum = %ums, Maximum = %ums, Average = %ums\n",
		       total.least, total.most, total.sum / total.received);
	fflush(stdout);
}

static BOOL WINAPI on_control(DWORD event)
{
	if (total.sent)
		print_statistics();
	if (event == CTRL_C_EVENT)
		printf("Control-C\n");
	fflush(stdout);
	ExitProcess(total.received ? 0 : 1);
}

static bool resolve(const char *host, struct target *ret)
{
	struct addrinfo hints = {.ai_family = AF_INET}, *found;
	if (getaddrinfo(host, NULL, &hints, &found))
		return false;
	memcpy(&ret->address, found->ai_addr, sizeof(ret->address));
	inet_ntop(AF_INET, &ret->address.sin_addr, ret->shown, sizeof(ret->shown));
	freeaddrinfo(found);
	return true;
}

static void ping_once(SOCKET s, const struct target *target, const struct options *o,
                      unsigned sequence)
{
	static unsigned char packet[ICMP_HEADER + DATA_MAX];
	unsigned id = GetCurrentProcessId() & 0xffff;
	size_t size = icmp_make_request(packet, id, sequence, o->size);
	total.sent++;
	if (sendto(s, (const char *)packet, (int)size, 0, (const struct sockaddr *)&target->address,
	           sizeof(target->address)) < 0)
		printf("PING: transmit failed. General failure.\n");
	else
		wait_for_answer(s, id, sequence, o->timeout_ms);
	fflush(stdout);
}

static int ping(const struct options *o)
{
	struct target target;
	if (!resolve(o->host, &target)) {
		printf("Ping request could not find host %s. Please check the name and try again.\n",
		       o->host);
		return 1;
	}
	SOCKET s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	if (s == INVALID_SOCKET) {
		printf("Unable to contact IP driver. General failure.\n");
		return 1;
	}
	total_of = target.shown;
	SetConsoleCtrlHandler(on_control, TRUE);
	if (strcmp(o->host, target.shown) != 0)
		printf("\nPinging %s [%s] with %u bytes of data:\n", o->host, target.shown,
		       o->size);
	else
		printf("\nPinging %s with %u bytes of data:\n", target.shown, o->size);
	fflush(stdout);
	for (unsigned i = 1; o->forever || i <= o->count; i++) {
		double begun = icmp_now_ms();
		ping_once(s, &target, o, i & 0xffff);
		double left = begun + 1000 - icmp_now_ms();
		if ((o->forever || i < o->count) && left > 0)
			Sleep((DWORD)left);
	}
	print_statistics();
	return total.received ? 0 : 1;
}

static void usage(void)
{
	printf("\nUsage: ping [-t] [-n count] [-l size] [-w timeout] [-4] target_name\n\n"
	       "Options:\n"
	       "    -t             Ping the specified host until stopped.\n"
	       "    -n count       Number of echo requests to send.\n"
	       "    -l size        Send buffer size.\n"
	       "    -w timeout     Timeout in milliseconds to wait for each reply.\n"
	       "    -4             Force using IPv4.\n\n");
}

static bool take_number(const char *flag, const char *text, unsigned most, unsigned *ret)
{
	char *end = NULL;
	unsigned long value = text ? strtoul(text, &end, 10) : 0;
	if (!text || !*text || *end || value > most) {
		if (text)
			printf("Bad value for option %s, valid range is from 0 to %u.\n", flag,
			       most);
		else
			printf("Value must be supplied for option %s.\n", flag);
		return false;
	}
	*ret = (unsigned)value;
	return true;
}

static bool parse(int argc, char **argv, struct options *o)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];
		bool is_flag = (a[0] == '-' || a[0] == '/') && a[1] && !a[2];
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;
		if (!is_flag) {
			if (o->host || a[0] == '-') {
				printf("Bad %s %s.\n", o->host ? "parameter" : "option", a);
				return false;
			}
			o->host = a;
			continue;
		}
		switch (a[1]) {
		case 't':
			o->forever = true;
			break;
		case '4':
			break;
		case 'n':
		case 'l':
		case 'w':
			if (!take_number(a, value, a[1] == 'l' ? DATA_MAX : 0x7fffffff,
			                 a[1] == 'n'   ? &o->count
			                 : a[1] == 'l' ? &o->size
			                               : &o->timeout_ms))
				return false;
			i++;
			break;
		default:
			printf("Bad option %s.\n", a);
			return false;
		}
	}
	return o->host != NULL && o->count;
}

int main(int argc, char **argv)
{
	struct options o = {.count = 4, .timeout_ms = 4000, .size = 32};
	WSADATA data;
	if (!parse(argc, argv, &o)) {
		usage();
		return 1;
	}
	if (WSAStartup(MAKEWORD(2, 2), &data)) {
		printf("Unable to initialize Windows Sockets interface.\n");
		return 1;
	}
	return ping(&o);
}
