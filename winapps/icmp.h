// SPDX-License-Identifier: Apache-2.0
// Echo requests and what answers them (RFC 792). Wine's own ping counts every ICMP message as a
// reply; here type, identifier and sequence number have to match.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <windows.h>

enum { ICMP_ECHO_REPLY = 0, ICMP_UNREACHABLE = 3, ICMP_ECHO_REQUEST = 8, ICMP_TIME_EXCEEDED = 11 };
enum { ICMP_IP_HEADER = 20, ICMP_HEADER = 8 };

static inline double icmp_now_ms(void)
{
	LARGE_INTEGER count, frequency;
	QueryPerformanceCounter(&count);
	QueryPerformanceFrequency(&frequency);
	return (double)count.QuadPart * 1000.0 / (double)frequency.QuadPart;
}

static inline uint16_t icmp_checksum(const unsigned char *bytes, size_t size)
{
	uint32_t sum = 0;
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	if (size & 1)
		sum += (uint32_t)(bytes[size - 1] << 8);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline void put16(unsigned char *at, unsigned value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static inline unsigned get16(const unsigned char *at)
{
	return (unsigned)(at[0] << 8 | at[1]);
}

static inline size_t icmp_make_request(unsigned char *packet, unsigned id, unsigned sequence,
                                       unsigned size)
{
	memset(packet, 0, ICMP_HEADER);
	packet[0] = ICMP_ECHO_REQUEST;
	put16(packet + 4, id);
	put16(packet + 6, sequence);
	for (unsigned i = 0; i < size; i++) // Windows' filling: a to w, again and again
		packet[ICMP_HEADER + i] = (unsigned char)('a' + i % 23);
	put16(packet + 2, icmp_checksum(packet, ICMP_HEADER + size));
	return ICMP_HEADER + size;
}

// Of a received IP packet: whether it answers this request.
static inline bool icmp_is_answer(const unsigned char *packet, size_t size, unsigned id,
                                  unsigned sequence)
{
	size_t header = (size_t)(packet[0] & 15) * 4;
	if (size < header + ICMP_HEADER)
		return false;
	const unsigned char *icmp = packet + header;
	if (icmp[0] == ICMP_UNREACHABLE ||
	    icmp[0] == ICMP_TIME_EXCEEDED) { // holds what it is about
		if (size < header + ICMP_HEADER + ICMP_IP_HEADER + ICMP_HEADER)
			return false;
		icmp += ICMP_HEADER + (icmp[ICMP_HEADER] & 15) * 4;
		if (icmp + ICMP_HEADER > packet + size || icmp[0] != ICMP_ECHO_REQUEST)
			return false;
	} else if (icmp[0] != ICMP_ECHO_REPLY) {
		return false;
	}
	return get16(icmp + 4) == id && get16(icmp + 6) == sequence;
}
