// SPDX-License-Identifier: Apache-2.0
// Questions to a DNS server, and its answers (RFC 1035). What a server answers is hostile: names
// are read with bounds and a limit on pointers.
#pragma once
#include <winsock2.h>
#include <ws2tcpip.h>
//
#include "program.h"

enum {
	A = 1,
	NS = 2,
	CNAME = 5,
	SOA = 6,
	PTR = 12,
	MX = 15,
	TXT = 16,
	AAAA = 28,
	SRV = 33,
	ANY = 255
};
enum { HEADER = 12, NAME_MAX_TEXT = 1024, MESSAGE_MAX = 65535 };
enum { NO_ANSWER = -1, NXDOMAIN = 3 };

static struct {
	struct sockaddr_in server;
	long timeout_s, retries;
} dns = {.timeout_s = 2, .retries = 1};

struct message {
	unsigned char bytes[MESSAGE_MAX];
	size_t size;
};

static unsigned get16(const unsigned char *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

// --- asking

static bool put_name(struct message *m, const char *name)
{
	for (const char *c = name; *c;) {
		size_t n = strcspn(c, ".");
		if (!n || n > 63 || m->size + n + 2 > 512)
			return false;
		m->bytes[m->size++] = (unsigned char)n;
		memcpy(m->bytes + m->size, c, n);
		m->size += n;
		c += n + (c[n] != 0);
	}
	m->bytes[m->size++] = 0;
	return true;
}

static bool make_query(struct message *m, const char *name, int type)
{
	static unsigned id;
	id = id ? id + 1 : GetTickCount() ^ GetCurrentProcessId() << 4;
	const unsigned char head[HEADER] = {
		(unsigned char)(id >> 8), (unsigned char)id, 1, 0, 0, 1};
	memcpy(m->bytes, head, HEADER);
	m->size = HEADER;
	if (!put_name(m, name))
		return false;
	const unsigned char tail[4] = {0, (unsigned char)type, 0, 1};
	memcpy(m->bytes + m->size, tail, 4);
	m->size += 4;
	return true;
}

static bool answers(const struct message *query, const struct message *answer)
{
	return answer->size >= query->size && answer->bytes[2] & 0x80 &&
	       !memcmp(query->bytes, answer->bytes, 2) &&
	       !memcmp(query->bytes + HEADER, answer->bytes + HEADER, query->size - HEADER);
}

static bool receive(SOCKET s, const struct message *query, struct message *answer)
{
	for (int strays = 0; strays < 64; strays++) {
		int n = recv(s, (char *)answer->bytes, sizeof(answer->bytes), 0);
		if (n < 0)
			return false;
		answer->size = (size_t)n;
		if (answers(query, answer))
			return true;
	}
	return false;
}

static SOCKET connect_to_server(int kind)
{
	SOCKET s = socket(AF_INET, kind, 0);
	DWORD wait = (DWORD)dns.timeout_s * 1000;
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, (const char *)&wait, sizeof(wait));
	if (s != INVALID_SOCKET &&
	    connect(s, (const struct sockaddr *)&dns.server, sizeof(dns.server)) < 0) {
		closesocket(s);
		return INVALID_SOCKET;
	}
	return s;
}

static bool receive_exactly(SOCKET s, unsigned char *to, size_t size)
{
	while (size) {
		int n = recv(s, (char *)to, (int)size, 0);
		if (n <= 0)
			return false;
		to += n;
		size -= (size_t)n;
	}
	return true;
}

// What doesn't fit into a datagram.
static bool ask_stream(const struct message *query, struct message *answer)
{
	unsigned char size[2] = {(unsigned char)(query->size >> 8), (unsigned char)query->size};
	SOCKET s = connect_to_server(SOCK_STREAM);
	if (s == INVALID_SOCKET)
		return false;
	bool ok = send(s, (const char *)size, 2, 0) == 2 &&
	          send(s, (const char *)query->bytes, (int)query->size, 0) == (int)query->size &&
	          receive_exactly(s, size, 2);
	answer->size = ok ? get16(size) : 0;
	ok = ok && receive_exactly(s, answer->bytes, answer->size) && answers(query, answer);
	closesocket(s);
	return ok;
}

// NO_ANSWER or the server's code.
static int ask(const char *name, int type, struct message *answer)
{
	static struct message query;
	bool ok = false;
	if (!make_query(&query, name, type))
		return NXDOMAIN;
	for (long i = 0; i <= dns.retries && !ok; i++) {
		SOCKET s = connect_to_server(SOCK_DGRAM);
		ok = s != INVALID_SOCKET &&
		     send(s, (const char *)query.bytes, (int)query.size, 0) >= 0 &&
		     receive(s, &query, answer);
		if (!ok && s != INVALID_SOCKET && WSAGetLastError() == WSAETIMEDOUT)
			say("DNS request timed out.\n    timeout was %ld seconds.\n",
			    dns.timeout_s);
		else if (!ok)
			i = dns.retries; // nobody listens there: waiting doesn't help
		if (s != INVALID_SOCKET)
			closesocket(s);
		flush();
	}
	if (ok && answer->bytes[2] & 2)
		ok = ask_stream(&query, answer);
	return ok ? answer->bytes[3] & 15 : NO_ANSWER;
}

// --- reading

// Moves *at behind the name; false: it isn't one.
static bool read_name(const struct message *m, size_t *at, char ret[NAME_MAX_TEXT])
{
	size_t from = *at, n = 0;
	bool jumped = false;
	for (int steps = 0; steps < 128; steps++) {
		if (from >= m->size)
			return false;
		size_t size = m->bytes[from];
		if (size >= 0xc0) {
			if (from + 2 > m->size)
				return false;
			if (!jumped)
				*at = from + 2;
			jumped = true;
			from = get16(m->bytes + from) & 0x3fff;
			continue;
		}
		from++;
		if (!size) {
			if (!jumped)
				*at = from;
			ret[n ? n - 1 : 0] = 0;
			return true;
		}
		if (size > 63 || from + size > m->size || n + size + 2 > 256)
			return false;
		for (size_t i = 0; i < size; i++) {
			unsigned char c = m->bytes[from + i];
			ret[n++] = c > ' ' && c < 127 ? (char)c : '?';
		}
		ret[n++] = '.';
		from += size;
	}
	return false;
}

struct record {
	char name[NAME_MAX_TEXT];
	unsigned type, ttl;
	size_t at, size; // of its data
};

static bool read_record(const struct message *m, size_t *at, struct record *ret)
{
	if (!read_name(m, at, ret->name) || *at + 10 > m->size)
		return false;
	const unsigned char *c = m->bytes + *at;
	ret->type = get16(c);
	ret->ttl = get16(c + 4) << 16 | get16(c + 6);
	ret->size = get16(c + 8);
	ret->at = *at + 10;
	*at = ret->at + ret->size;
	return *at <= m->size;
}

static bool first_record(const struct message *m, size_t *ret_at, unsigned *ret_n)
{
	char name[NAME_MAX_TEXT];
	*ret_at = HEADER;
	*ret_n = get16(m->bytes + 6);
	if (get16(m->bytes + 4) != 1 || !read_name(m, ret_at, name))
		return false;
	*ret_at += 4;
	return *ret_at <= m->size;
}
